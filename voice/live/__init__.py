"""Streaming sessions: parse an order while it is spoken.

The modules, in the order in which the audio becomes an order:

    connection            queues audio frames and commands, runs a step of the session when the scheduler starts it, queues the events
    session               splits the audio into frames, runs the VAD, follows the utterances, emits partials and finals
    endpointing           finds the start and the end of an utterance in the VAD's decisions
    utterance             one utterance: selects the decoder while the language is undecided
    decoder               the interface of the two streaming decoders
      vietnamese_decoder  Conformer and CTC beam search, chunk by chunk
      whisper_decoder     Whisper, run repeatedly on the whole utterance so far
    agreement             commits the words on which successive runs of Whisper agree (LocalAgreement); the API reports them as `stable`
    session_order         parses the words against the lines so far; follows changes of the menu
    sessions              opens, limits and drains the connections of this process
    metrics               metrics of the connections
"""
