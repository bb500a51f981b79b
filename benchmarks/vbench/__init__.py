"""VBench's quality dimensions, streamed: a video is decoded once and every dimension is fed the same blocks of frames."""
