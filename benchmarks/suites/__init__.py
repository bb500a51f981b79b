"""The suites of metrics, and the version of each: a version rises whenever scores stop being comparable."""

EMBEDDED, VBENCH, OFFICIAL, SYNC, FVD = "embedded", "vbench native", "vbench", "syncnet", "fvd"
LOUDNESS, POSE = "loudness", "pose"
OTHERS = {
    SYNC: ("sync_c", "sync_d", "sync_offset", "face_found"),
    FVD: ("fvd",),
}  # their metrics: to ask them loads torch
VERSIONS = {EMBEDDED: "8", VBENCH: "1", OFFICIAL: "0.1.5", SYNC: "1", FVD: "1", LOUDNESS: "2", POSE: "1"}
