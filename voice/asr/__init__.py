"""Speech recognition: audio to transcripts."""
