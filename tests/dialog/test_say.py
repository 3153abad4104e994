"""What the shop says: the change, then the open question, in words alone."""

import re
from dataclasses import replace
from typing import get_args

import pytest

from schemas import Amount
from tests.dialog.trattoria import LANGUAGES, MENU, PRICING, added, line, option
from voice.dialog.question_text import is_read_back, question_text
from voice.dialog.say import say
from voice.dialog.state import Act, Change, Inquiry, InquiryKind, Note, PendingEdit, Question, QuestionKind, State, Status, Turn
from voice.menus.availability import DAYS
from voice.menus.diets import ALLERGENS, DIETS
from voice.orders.language_packs import language_packs
from voice.orders.parser.draft import ChoiceRef

SIZE = Question(QuestionKind.MISSING, 0, "size", ("s", "m", "l"))
PEARLS = Question(QuestionKind.AMBIGUOUS, 0, "extras", ("black", "white"))
SIDE = Question(QuestionKind.MISSING, 0, "side", ("fries", "slaw", "soup", "salad", "rice", "beans"))
EMPTY = State()
MORE = Question(QuestionKind.MORE)
READ_BACK = Question(QuestionKind.CONFIRM)
LARGE_LATTE = line("latte", 1, option("size", "l"))
OPEN_LATTE = line("latte", 1, option("extras", "black", "white"))


def pending(op, *items, quantity=1, options=()):
    return PendingEdit(op, line("latte", quantity, *options)._replace(items=items))


def state(*lines, questions=(), notes=()):
    return State(lines, questions, (), notes)


def instead_of(combo, n_lines):
    return Question(QuestionKind.OFFER, 0, None, (combo,), tuple(range(n_lines)), pending("add", combo))


def reply(turn, language="en"):
    return say(turn, MENU, PRICING, language)


def turn(act, status=Status.OPEN, *, before=EMPTY, after=EMPTY, **more):
    return Turn(before, after, act, status, **more)


def asking(question, *lines, notes=(), act=Act.ORDER):
    return turn(act, Status.ASKING, after=state(*lines, questions=(question,), notes=notes))


def answer(kind, *items, order=(), questions=(), **asked):
    return turn(Act.QUESTION, after=state(*order, questions=questions), inquiry=Inquiry(kind, items, **asked))


LARGE, OAT, PEARL = ChoiceRef("size", "l"), ChoiceRef("milk", "oat"), ChoiceRef("extras", "black")
MILK_ALLERGY = Note("allergy", "allergic to milk", None, "milk")

QUESTIONS = [
    (asking(SIZE, line("latte")), "Would you like small for fifty cents less, medium, or large for seventy-five cents more?", None),
    (asking(SIZE, line("latte")), None, "Mình dùng nhỏ bớt năm mươi xu, vừa hay lớn thêm bảy mươi lăm xu ạ?"),
    (asking(PEARLS, OPEN_LATTE), "Would you like black pearls or white pearls, fifty cents more each?", None),
    (asking(PEARLS, OPEN_LATTE), None, "Mình dùng trân châu đen hay trân châu trắng, mỗi loại thêm năm mươi xu ạ?"),
    (asking(PEARLS, OPEN_LATTE, line("juice")), "For the latte, would you like black pearls or white pearls, fifty cents more each?", None),
    (
        asking(PEARLS, OPEN_LATTE, line("juice")),
        None,
        "Cà phê sữa mình dùng trân châu đen hay trân châu trắng, mỗi loại thêm năm mươi xu ạ?",
    ),
    (
        asking(replace(SIZE, choices=("s", "m"), lines=(0, 1)), line("latte", 2), line("mocha"), line("toast")),
        "For the lattes and mocha, would you like small for fifty cents less or medium?",
        "Cà phê sữa và cà phê sô cô la mình dùng nhỏ bớt năm mươi xu hay vừa ạ?",
    ),
    (
        asking(replace(SIZE, choices=("s", "m")), line("latte", 1, option("milk", "oat")), line("latte")),
        "For the latte with oat milk, would you like small for fifty cents less or medium?",
        "Cà phê sữa sữa yến mạch mình dùng nhỏ bớt năm mươi xu hay vừa ạ?",
    ),
    (
        asking(SIDE, line("platter")),
        "Which side? Fries, slaw, soup of the day for one dollar more, green salad for one fifty more, or two more?",
        "Mình chọn món kèm nào? Khoai tây, bắp cải trộn, xúp thêm một đô, rau trộn thêm một đô năm mươi xu hoặc hai loại khác ạ?",
    ),
    (
        asking(replace(SIDE, choices=("fries", "rice")), line("platter"), line("juice")),
        "For the chicken and rice platter: Which side? Fries or rice?",
        "Cơm gà hai miếng: Mình chọn món kèm nào? Khoai tây hay cơm ạ?",
    ),
    (asking(Question(QuestionKind.MISSING, 0), line("latte")), "How many lattes would you like?", "Cà phê sữa mình lấy mấy phần ạ?"),
    (
        asking(Question(QuestionKind.MISSING, pending=pending("add", quantity=3)), line("latte")),
        "What would you like three of?",
        "Mình lấy ba món gì ạ?",
    ),
    (asking(Question(QuestionKind.MISSING, pending=pending("add"))), "What can I get you?", "Mình dùng gì ạ?"),
    (
        asking(Question(QuestionKind.AMBIGUOUS, choices=("latte", "mocha"), pending=pending("add"))),
        "Would you like latte or mocha for seventy-five cents more?",
        "Mình dùng cà phê sữa hay cà phê sô cô la thêm bảy mươi lăm xu ạ?",
    ),
    (
        asking(Question(QuestionKind.UNAVAILABLE, choices=("juice", "latte"), pending=pending("add", "melon"))),
        (
            "Sorry, we don't have watermelon juice right now. Would you like orange juice for fifty cents less "
            "or latte for twenty-five cents more instead?"
        ),
        "Dạ nước dưa hấu hiện không có ạ. Mình đổi sang nước cam bớt năm mươi xu hay cà phê sữa thêm hai mươi lăm xu được không ạ?",
    ),
    (
        asking(Question(QuestionKind.UNAVAILABLE, pending=pending("add", "melon"))),
        "Sorry, we don't have watermelon juice right now. Would you like something else?",
        "Dạ nước dưa hấu hiện không có ạ. Mình dùng món khác nhé?",
    ),
    (
        asking(
            Question(QuestionKind.UNAVAILABLE, 0, "milk", ("dairy",), pending=pending("set", "latte", options=(option("milk", "oat"),)))
        ),
        "Sorry, we don't have oat milk right now. Would you like dairy milk instead?",
        None,
    ),
    (
        asking(Question(QuestionKind.CHECK, choices=("latte",), pending=pending("add", "latte", quantity=200))),
        "Did you want two hundred lattes?",
        "Mình lấy hai trăm cà phê sữa đúng không ạ?",
    ),
    (
        asking(Question(QuestionKind.CHECK, 0, pending=pending("set", "latte", quantity=2)), line("latte")),
        "Should I make that two lattes?",
        "Em đổi thành hai cà phê sữa đúng không ạ?",
    ),
    (
        asking(Question(QuestionKind.CHECK, 0, pending=pending("remove", "latte")), line("latte")),
        "Should I take off the latte?",
        "Em bỏ cà phê sữa đúng không ạ?",
    ),
    (
        asking(Question(QuestionKind.CHECK, 0), line("latte"), notes=(MILK_ALLERGY, Note("person", "Sarah's", 0))),
        "I've noted the allergy to milk. The latte contains milk. Would you like to keep it?",
        "Dạ em ghi chú mình dị ứng sữa ạ. Cà phê sữa có sữa ạ. Mình vẫn lấy chứ ạ?",
    ),
    (
        asking(Question(QuestionKind.CHECK, 0), line("juice"), notes=(Note("allergy", "no peanuts please", 0, "peanut"),)),
        "I've noted the allergy to peanuts. I can't promise the orange juice is free of peanuts. Would you like to keep it?",
        "Dạ em ghi chú mình dị ứng đậu phộng ạ. Em không chắc nước cam có đậu phộng hay không. Mình vẫn lấy chứ ạ?",
    ),
    (
        asking(Question(QuestionKind.CHECK, 0), line("juice"), notes=(Note("diet", "halal", None, "halal"),)),
        "I've noted halal. The menu doesn't list the orange juice as halal. Would you like to keep it?",
        "Dạ em ghi chú món halal ạ. Em không chắc nước cam là món halal. Mình vẫn lấy chứ ạ?",
    ),
    (
        asking(Question(QuestionKind.CHECK, 0), line("juice"), notes=(Note("diet", "no nightshades"),)),
        "I've made a note of that. I can't promise that for the orange juice. Would you like to keep it?",
        "Dạ em ghi chú lại rồi ạ. Em không dám chắc về nước cam. Mình vẫn lấy chứ ạ?",
    ),
    (
        asking(Question(QuestionKind.OFFER, choices=("juice",)), line("latte"), act=Act.DONE),
        "Would you like orange juice for three dollars with that?",
        "Mình dùng thêm nước cam giá ba đô không ạ?",
    ),
    (
        asking(Question(QuestionKind.OFFER, 0, "size", ("l",)), line("latte"), act=Act.DONE),
        "Would you like large for seventy-five cents more?",
        "Mình dùng lớn thêm bảy mươi lăm xu không ạ?",
    ),
    (
        asking(Question(QuestionKind.OFFER, 0, "size", ("l",)), line("latte"), line("toast"), act=Act.DONE),
        "For the latte, would you like large for seventy-five cents more?",
        "Cà phê sữa mình dùng lớn thêm bảy mươi lăm xu không ạ?",
    ),
    (
        asking(instead_of("toast", 2), line("latte", 2), line("juice"), act=Act.DONE),
        "I can make the latte and orange juice one toast fifty fifty for two dollars, four seventy-five less. Would you like that?",
        "Cà phê sữa và nước cam tính thành một toast năm mươi năm mươi thì hai đô, bớt bốn đô bảy mươi lăm xu. Em đổi nhé ạ?",
    ),
    (
        asking(instead_of("stew", 6), *[line(item) for item in ("platter", "egg", "melon", "juice", "mocha", "toast")], act=Act.DONE),
        "As one stew that's nine dollars, twenty-two dollars less. Would you like that?",
        "Tính thành một món hầm thì chín đô, bớt hai mươi hai đô. Em đổi nhé ạ?",
    ),
    (
        asking(Question(QuestionKind.CONFIRM, 0), LARGE_LATTE, act=Act.DONE),
        "One large latte, is that right?",
        "Một cà phê sữa lớn đúng không ạ?",
    ),
    (
        asking(Question(QuestionKind.CONFIRM, 0, "size"), LARGE_LATTE, act=Act.DONE),
        "Large for the latte, is that right?",
        None,
    ),
    (asking(MORE, line("latte"), act=Act.DONE), "Anything else?", "Mình dùng thêm gì nữa không ạ?"),
    (asking(MORE, act=Act.DONE), "What can I get you?", "Mình dùng gì ạ?"),
    (
        asking(READ_BACK, LARGE_LATTE, line("latte"), line("toast"), notes=(Note("service", "to go", None, "takeaway"),), act=Act.DONE),
        "So that's two lattes, one large, one plain, and one toast fifty fifty, to go. That comes to ten twenty-five. Is that right?",
        (
            "Dạ em đọc lại: hai cà phê sữa, một lớn một bình thường, một toast năm mươi năm mươi, mang về. "
            "Tổng cộng mười đô hai mươi lăm xu. Đúng không ạ?"
        ),
    ),
]

TURNS = [
    (added(line("latte", 2), line("juice"), questions=(MORE,)), "Got it, two lattes and one orange juice. Anything else?", None),
    (added(line("latte", 2), questions=(MORE,)), None, "Dạ, hai cà phê sữa. Mình dùng thêm gì nữa không ạ?"),
    (
        turn(Act.CHANGE, after=State((line("latte", 2),), (MORE,), (Change("set", 0, "latte", 2),))),
        "Got it, now two lattes. Anything else?",
        "Dạ, em đổi lại hai cà phê sữa. Mình dùng thêm gì nữa không ạ?",
    ),
    (
        turn(Act.ANSWER, after=State((LARGE_LATTE,), (MORE,), (Change("set", 0, "latte", 1),))),
        "Got it, one large latte. Anything else?",
        "Dạ, một cà phê sữa lớn. Mình dùng thêm gì nữa không ạ?",
    ),
    (
        turn(
            Act.CHANGE,
            before=state(line("latte", 2)),
            after=State((line("juice"),), (MORE,), (Change("remove", 0, "latte", 2), Change("add", 0, "juice", 1))),
        ),
        "Got it, one orange juice. I've taken off the lattes. Anything else?",
        "Dạ, một nước cam. Em bỏ cà phê sữa rồi ạ. Mình dùng thêm gì nữa không ạ?",
    ),
    (
        turn(Act.ORDER, after=State((line("latte"),), (MORE,), (Change("add", 0, "latte", 1),)), unmatched=("sprinkles",)),
        "Got it, one latte. I missed part of that. Anything else?",
        "Dạ, một cà phê sữa. Em nghe sót một chút ạ. Mình dùng thêm gì nữa không ạ?",
    ),
    (turn(Act.NONE, after=state(line("latte"))), "Sorry, I didn't catch that. Anything else?", None),
    (turn(Act.NONE), None, "Dạ em xin lỗi, em nghe chưa rõ ạ. Mình dùng gì ạ?"),
    (turn(Act.DENY, after=state(line("latte"))), "No problem. Anything else?", "Dạ không sao ạ. Mình dùng thêm gì nữa không ạ?"),
    (turn(Act.SMALLTALK), "Hi there! What can I get you?", "Dạ em chào mình ạ. Mình dùng gì ạ?"),
    (
        turn(Act.SMALLTALK, before=state(line("latte")), after=state(line("latte"))),
        "Sure. Anything else?",
        "Dạ vâng ạ. Mình dùng thêm gì nữa không ạ?",
    ),
    (
        turn(Act.REPEAT, after=state(line("latte"), questions=(MORE,))),
        "So far that's one latte. Anything else?",
        "Dạ mình đang có một cà phê sữa. Mình dùng thêm gì nữa không ạ?",
    ),
    (asking(Question(QuestionKind.MISSING, 0), line("latte"), act=Act.REPEAT), "How many lattes would you like?", None),
    (turn(Act.CONFIRM, after=state(line("latte"))), "Got it. Anything else?", "Dạ vâng ạ. Mình dùng thêm gì nữa không ạ?"),
    (turn(Act.DONE), "What can I get you?", "Mình dùng gì ạ?"),
    (
        turn(Act.SMALLTALK, after=state(line("latte"), notes=(Note("service", "to go", None, "takeaway"),))),
        "Okay, to go. Anything else?",
        "Dạ, mang về ạ. Mình dùng thêm gì nữa không ạ?",
    ),
    (turn(Act.HUMAN, Status.HANDOFF), "One moment please, I'll get a colleague to help you.", None),
    (turn(Act.HUMAN, Status.HANDOFF), None, "Dạ mình chờ em một chút, em mời nhân viên hỗ trợ mình ngay ạ."),
    (
        turn(Act.DENY, before=state(line("latte"), questions=(READ_BACK,)), after=state(line("latte"), questions=(MORE,))),
        "No problem. What should I change?",
        "Dạ không sao ạ. Mình muốn đổi gì ạ?",
    ),
    (  # "yes" to a question which: there is nothing to acknowledge
        asking(replace(SIZE, times=2), line("latte"), act=Act.CONFIRM),
        "Would you like small for fifty cents less, medium, or large for seventy-five cents more?",
        "Mình dùng nhỏ bớt năm mươi xu, vừa hay lớn thêm bảy mươi lăm xu ạ?",
    ),
    (turn(Act.CANCEL, Status.CANCELLED), "No problem, I've cancelled the order.", "Dạ, em hủy đơn rồi ạ."),
    (
        turn(Act.CONFIRM, Status.CONFIRMED, after=state(LARGE_LATTE)),
        "Thank you! That comes to four fifty. See you soon!",
        "Dạ em cảm ơn mình. Tổng cộng bốn đô năm mươi xu ạ. Hẹn gặp lại mình!",
    ),
]

ANSWERS = [
    (answer(InquiryKind.PRICE, "latte", choices=(LARGE, OAT)), "It's five ten for the large latte with oat milk.", None),
    (answer(InquiryKind.PRICE, "latte", choices=(LARGE, OAT)), None, "Dạ, cà phê sữa lớn sữa yến mạch giá năm đô mười xu ạ."),
    (answer(InquiryKind.PRICE, "latte", "mocha"), "It's three seventy-five for the latte and four fifty for the mocha.", None),
    (answer(InquiryKind.PRICE, choices=(OAT,)), "It's sixty cents more for oat milk.", "Dạ, sữa yến mạch thêm sáu mươi xu ạ."),
    (answer(InquiryKind.PRICE, choices=(ChoiceRef("size", "s"),)), "It's fifty cents less for small.", "Dạ, nhỏ bớt năm mươi xu ạ."),
    (
        answer(InquiryKind.PRICE, choices=(ChoiceRef("extras", "onion"),)),
        "It's nothing extra for onion.",
        "Dạ, hành không tính thêm tiền ạ.",
    ),
    (
        answer(InquiryKind.PRICE, "latte", "mocha", "juice", "toast"),
        "Those go from two dollars to four fifty.",
        "Dạ từ hai đô đến bốn đô năm mươi xu ạ.",
    ),
    (answer(InquiryKind.PRICE, "juice", "juice", "juice", "juice"), "Those are three dollars each.", "Dạ mỗi món giá ba đô ạ."),
    (answer(InquiryKind.TOTAL, order=(LARGE_LATTE,)), "That's four fifty so far.", "Dạ, đến giờ là bốn đô năm mươi xu ạ."),
    (answer(InquiryKind.TOTAL), "There is nothing on your order yet.", "Dạ, mình chưa gọi món nào ạ."),
    (answer(InquiryKind.ITEMS), "We have coffee, juices and plates.", "Dạ, bên em có cà phê, nước ép và món chính ạ."),
    (answer(InquiryKind.ITEMS, category="Juices"), "We have orange juice.", "Dạ, bên em có nước cam ạ."),
    (answer(InquiryKind.ITEMS, choices=(ChoiceRef("side", "rice"),)), "We have chicken and rice platter.", None),
    (answer(InquiryKind.ITEMS, "melon"), "Sorry, we don't have that right now.", "Dạ, hiện bên em không có món đó ạ."),
    (
        answer(InquiryKind.CHOICES, "latte", groups=("size",)),
        "For the latte, you can choose small for fifty cents less, medium and large for seventy-five cents more.",
        "Dạ, cà phê sữa có nhỏ bớt năm mươi xu, vừa và lớn thêm bảy mươi lăm xu ạ.",
    ),
    (answer(InquiryKind.CHOICES, "latte"), "For the latte, you can choose size, milk and extras.", None),
    (
        answer(InquiryKind.CHOICES, "platter", groups=("side",)),
        (
            "For the chicken and rice platter, you can choose fries, slaw, soup of the day for one dollar more, green salad "
            "for one fifty more, rice, beans and two more."
        ),
        "Dạ, cơm gà hai miếng có khoai tây, bắp cải trộn, xúp thêm một đô, rau trộn thêm một đô năm mươi xu, cơm, đậu và hai loại khác ạ.",
    ),
    (
        answer(InquiryKind.CHOICES, groups=("milk",)),
        "You can choose dairy milk and oat milk for sixty cents more.",
        "Dạ, mình chọn sữa bò và sữa yến mạch thêm sáu mươi xu được ạ.",
    ),
    (
        answer(InquiryKind.CHOICES, "toast", groups=("size",)),
        "There is only one kind of toast fifty fifty.",
        "Dạ, toast năm mươi năm mươi chỉ có một loại thôi ạ.",
    ),
    (answer(InquiryKind.AVAILABLE, "latte"), "Yes, we have latte.", "Dạ có cà phê sữa ạ."),
    (
        answer(InquiryKind.AVAILABLE, "latte", choices=(OAT,)),
        "Yes, you can have the latte with oat milk.",
        "Dạ được, bên em có cà phê sữa sữa yến mạch ạ.",
    ),
    (
        answer(InquiryKind.AVAILABLE, "juice", choices=(PEARL,)),
        "Sorry, the orange juice doesn't come with black pearls.",
        "Dạ, nước cam không có trân châu đen ạ.",
    ),
    (answer(InquiryKind.AVAILABLE, "melon"), "Sorry, we don't have watermelon juice right now.", "Dạ, nước dưa hấu hiện không có ạ."),
    (answer(InquiryKind.AVAILABLE, choices=(PEARL,)), "Yes, we have black pearls.", None),
    (answer(InquiryKind.AVAILABLE), "Sorry, I can't find that on our menu.", "Dạ, món đó không có trong menu ạ."),
    (
        answer(InquiryKind.HOURS, "egg"),
        (
            "We serve fried egg sandwich from six a.m. to ten thirty a.m. on Monday to Friday "
            "and from seven oh five a.m. to twelve p.m. on Saturday and Sunday."
        ),
        (
            "Dạ, bánh mì trứng có từ sáu giờ sáng đến mười giờ ba mươi sáng, thứ hai đến thứ sáu "
            "và từ bảy giờ năm phút sáng đến mười hai giờ trưa, thứ bảy và chủ nhật ạ."
        ),
    ),
    (
        answer(InquiryKind.HOURS, "stew"),
        "We serve stew from six p.m. to twelve a.m.",
        "Dạ, món hầm có từ sáu giờ tối đến mười hai giờ khuya ạ.",
    ),
    (
        answer(InquiryKind.DESCRIPTION, "latte"),
        "Latte: Two shots of espresso with six ounces of milk. Served hot.",
        "Dạ, cà phê sữa: Cà phê với sữa nóng ạ.",
    ),
    (
        answer(InquiryKind.DIET, "latte", value="vegan", choices=(OAT,)),
        "Yes, the menu lists the latte with oat milk as vegan.",
        "Dạ, cà phê sữa sữa yến mạch là món thuần chay ạ.",
    ),
    (
        answer(InquiryKind.DIET, "juice", value="peanut"),
        "Yes, the menu lists the orange juice as free of peanuts.",
        "Dạ, nước cam không có đậu phộng ạ.",
    ),
    (answer(InquiryKind.DIET, "latte", value="vegan"), "The latte contains milk.", "Dạ, cà phê sữa có sữa ạ."),
    (answer(InquiryKind.DIET, "mocha", value="soy"), "The mocha contains soy.", "Dạ, cà phê sô cô la có đậu nành ạ."),
    (
        answer(InquiryKind.DIET, "juice", value="halal"),
        "The menu doesn't list the orange juice as halal. I can get a colleague if you like.",
        "Dạ, menu không ghi nước cam có phải món halal không. Mình cần thì em mời nhân viên hỗ trợ ạ.",
    ),
    (
        answer(InquiryKind.DIET, "juice", value="egg"),
        "The menu doesn't list the orange juice as free of eggs. I can get a colleague if you like.",
        "Dạ, menu không ghi nước cam có trứng hay không. Mình cần thì em mời nhân viên hỗ trợ ạ.",
    ),
    (answer(InquiryKind.DIET, value="vegan"), "These are vegan: orange juice.", "Dạ, món thuần chay bên em có nước cam ạ."),
    (answer(InquiryKind.DIET, value="peanut"), "These are free of peanuts: orange juice.", None),
    (answer(InquiryKind.DIET, value="peanut"), None, "Dạ, món không có đậu phộng bên em có nước cam ạ."),
    (
        answer(InquiryKind.DIET, value="halal"),
        "The menu doesn't tell what is halal. I can get a colleague if you like.",
        "Dạ, menu không ghi món nào halal. Mình cần thì em mời nhân viên hỗ trợ ạ.",
    ),
    (
        answer(InquiryKind.DIET, value="sesame"),
        "The menu doesn't tell what is free of sesame. I can get a colleague if you like.",
        "Dạ, menu không ghi món nào không có mè. Mình cần thì em mời nhân viên hỗ trợ ạ.",
    ),
    (
        answer(InquiryKind.OTHER),
        "Sorry, I don't know that from the menu. I can get a colleague if you like.",
        "Dạ, menu không ghi điều đó ạ. Mình cần thì em mời nhân viên hỗ trợ ạ.",
    ),
    (answer(InquiryKind.TOTAL, order=(line("latte"),), questions=(SIZE,)), None, None),
]

SPOKEN = [
    (language, case, expected)
    for case, *by_language in [*QUESTIONS, *TURNS, *ANSWERS]
    for language, expected in zip(LANGUAGES, by_language, strict=True)
]


@pytest.mark.parametrize(("language", "case", "expected"), [spoken for spoken in SPOKEN if spoken[2]])
def test_the_shop_says(language, case, expected):
    assert reply(case, language) == expected


@pytest.mark.parametrize(("language", "case"), [spoken[:2] for spoken in SPOKEN])
def test_a_reply_has_words_and_punctuation_alone_and_is_short(language, case):
    text = reply(case, language)
    assert re.fullmatch(r"(?:[^\W\d_]|[ ,.:?!'-])+[.?!]", text), text
    read_back = case.after.questions and is_read_back(case.after.questions[0])
    assert read_back or len(text.split()) <= 38, text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_of_a_language_is_said(language):
    """Each fixed part of a sentence occurs in some reply, in its order."""
    replies = "\n".join([reply(case, language).lower() for case, *_ in [*QUESTIONS, *TURNS, *ANSWERS]])
    speech = language_packs()[language].speech
    for name, sentence in speech.sentences.items():
        without_opening = sentence.removeprefix(speech.opening).removeprefix(",").strip(" ")
        parts = [re.escape(part) for part in re.split(r"\{\w+\}", without_opening.lower())]
        assert re.search("[^\n]*?".join(parts), replies), name


def test_languages_have_the_same_sentences_with_the_same_values():
    english, vietnamese = [
        {name: set(re.findall(r"\{(\w+)\}", text)) for name, text in language_packs()[language].speech.sentences.items()}
        for language in LANGUAGES
    ]
    assert english == vietnamese


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_diet_allergen_day_and_amount_of_a_menu_has_words(language):
    speech = language_packs()[language].speech
    assert set(speech.diets) == set(DIETS)
    assert set(speech.allergens) == set(ALLERGENS)
    assert set(speech.weekdays) == set(DAYS)
    assert set(speech.options) == set(get_args(Amount))


@pytest.mark.parametrize("case", [case for case, *_ in QUESTIONS])
def test_the_text_of_a_question_is_what_the_shop_asks(case):
    for language in LANGUAGES:
        text = question_text(case.after.questions[0], case.after, MENU, PRICING, language)
        assert reply(case, language).endswith(text)


# --- The length of a reply ----------------------------------------------------------------------------------------------------------


def test_the_change_is_shortened_before_the_question():
    options = [
        option("size", "l"),
        option("milk", "oat"),
        option("extras", "cheese", amount="extra"),
        option("extras", "onion", amount="no"),
    ]
    lines = [line(item, 1, *options) for item in ("latte", "mocha")]
    question = replace(PEARLS, line=1)
    long = reply(added(*lines, questions=(MORE,)))
    assert long.startswith("Got it, one large latte with oat milk and extra cheese, no onion, and one large mocha with")
    shortened = reply(added(*lines, line("juice"), questions=(question,)))
    asked = "For the mocha, would you like black pearls or white pearls, fifty cents more each?"
    assert shortened == f"Got it, one latte, one mocha and one orange juice. {asked}"


def test_a_long_change_is_only_acknowledged():
    items = ("latte", "mocha", "juice", "platter", "egg", "stew", "toast")
    text = reply(added(*[line(item, 21) for item in items], questions=(PEARLS,)))
    assert text.startswith("Got it. For the lattes, would you like")


def test_an_allergy_is_confirmed_even_before_a_long_question():
    case = added(line("platter"), line("juice"), questions=(SIDE,))
    assert reply(case).startswith("Got it. For the chicken and rice platter: Which side?")
    with_note = case._replace(after=case.after._replace(notes=(MILK_ALLERGY,)))
    assert reply(with_note).startswith("I've noted the allergy to milk. For the chicken and rice platter: Which side?")


def test_a_question_with_long_choices_names_fewer_of_them():
    names = {choice_id: {"name": f"{choice_id} with seven more words in its name"} for choice_id in "abcdef"}
    menu = MENU.model_validate(
        {
            "id": "x",
            "name": "X",
            "currency": "USD",
            "option_groups": {"g": {"name": "G", "choices": names}},
            "items": {"i": {"name": "I", "price": 1, "options": ["g"]}},
        }
    )
    text = question_text(Question(QuestionKind.MISSING, 0, "g", tuple("abcdef")), State((line("i"),)), menu, PRICING, "en")
    assert text.endswith("or three more?")


def test_a_correction_in_a_read_back_is_not_stated_twice():
    text = reply(turn(Act.CHANGE, Status.CONFIRMING, after=State((line("latte", 2),), (READ_BACK,), (Change("set", 0, "latte", 2),))))
    assert text == "So that's two lattes. That comes to seven fifty. Is that right?"


def test_the_open_question_is_asked_again_behind_an_answer_if_it_blocks():
    assert reply(answer(InquiryKind.TOTAL, order=(line("latte"),), questions=(SIZE,))) == (
        "That's three seventy-five so far. Would you like small for fifty cents less, medium, or large for seventy-five cents more?"
    )
    assert reply(answer(InquiryKind.TOTAL, order=(line("latte"),), questions=(MORE,))) == "That's three seventy-five so far."


def test_the_difference_is_the_one_to_what_the_line_has():
    question = Question(QuestionKind.CHECK, 0, "size", ("s", "m"))
    text = question_text(replace(question, kind=QuestionKind.OFFER), State((LARGE_LATTE,)), MENU, PRICING, "en")
    assert text == "Would you like small for one twenty-five less or medium for seventy-five cents less?"


def test_a_question_about_a_line_that_is_gone_is_still_a_sentence():
    for kind in QuestionKind:
        for group in (None, "size"):
            for line_number in (None, 5):
                text = question_text(Question(kind, line_number, group), State(), MENU, PRICING, "en")
                assert re.fullmatch(r"[A-Z][^{}\d]+\?", text), (kind, group, line_number, text)
