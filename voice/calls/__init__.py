"""Telephone calls: the recogniser, the conversation and the voice, joined for one caller.

The modules:

    calls      opens, limits and drains the calls of this process
    call       one call with audio: listens, answers aloud, stops when the caller speaks, stores the order
    text_call  one call whose platform recognises and speaks
    playback   plays the pieces of a sentence at the pace of speech
    keypad     turns pressed keys into answers
    keeper     stores the order of a call
    outcome    how calls end
"""
