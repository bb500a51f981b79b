"""Names of the files that trainings and films leave behind."""

METRICS = "metrics.jsonl"  # of a training, an object a line
CHECKPOINTS, LATEST = "checkpoints", "latest.json"  # complete states, a folder a step; which one is the last
ERRORS = "errors.npz"  # a few of the bank's, kept to be looked at
BANK = "bank-{}.bin"  # by rank, or by node where its ranks share one

LORA = "lora"  # folder in PEFT's layout:
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
TRANSFORMER = "transformer"  # folder in diffusers' layout: the embedded backbone's, or one that was trained in full
CODEC = "codec.safetensors"  # the embedded backbone's
VAE = "vae"  # the same, where it is an AutoencoderKLWan, a folder in diffusers' layout
MODEL_INDEX = "model_index.json"  # of a whole model in diffusers' layout

VIDEOS = "videos"  # folder, an mp4 a film
FRAMES = "frames.npy"  # of all films [S, F, H, W, 3] uint8, where they are kept without loss
SIGNALS, POSE = "signals", ".pose.mp4"  # folder of what films follow, and how the skeletons of a film's name end
