"""Sync-C and Sync-D: how well the lips of a talking video keep to its sound, judged by SyncNet, streamed."""
