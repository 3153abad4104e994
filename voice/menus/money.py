"""Minor units of currencies. Source: ISO 4217."""

from typing import Final

WHOLE: Final = frozenset({"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"})
IN_THOUSANDTHS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_NAMES: Final = {
    **dict.fromkeys(("USD", "EUR", "AUD", "CAD", "NZD", "SGD", "HKD", "TWD", "ZAR", "BRL"), "cents"),
    **dict.fromkeys(("MXN", "PHP", "ARS", "COP"), "centavos"),
    "GBP": "pence",
    "INR": "paise",
    "MYR": "sen",
    "CHF": "centimes",
    "THB": "satang",
    "CNY": "fen",
}


def exponent_of(currency: str) -> int:
    """Return how many decimals a currency has."""
    return 0 if currency in WHOLE else 3 if currency in IN_THOUSANDTHS else 2


def minor_unit_of(currency: str) -> str:
    """Return the name of what prices are counted in."""
    return f"whole {currency}" if currency in WHOLE else _NAMES.get(currency, f"the smallest unit of {currency}")
