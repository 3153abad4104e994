"""Speech synthesis: turn the shop's sentences into audio.

speaker        synthesises a text piece by piece, caches the pieces as audio, resamples them to the rate of the call
pieces         cuts a text into pieces that can be spoken one by one
piper          Piper voices, run in this process
speech_server  a client of an OpenAI-compatible speech server
sound          resampling, and the encodings of telephone audio
"""
