"""The weight files of the six dimensions. This module loads no torch: a plan looks here."""

from benchmarks.weights import WeightFile

_CLIP = "https://openaipublic.azureedge.net/clip/models"
DINO_WEIGHTS = WeightFile(
    "hub/checkpoints",
    "dino_vitbase16_pretrain.pth",
    "Apache-2.0",
    "https://dl.fbaipublicfiles.com/dino/dino_vitbase16_pretrain/dino_vitbase16_pretrain.pth",
    root="torch",
)
VIT_B_32 = WeightFile(
    "clip_model",
    "ViT-B-32.pt",
    "MIT",
    f"{_CLIP}/40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af/ViT-B-32.pt",
)
VIT_L_14 = WeightFile(
    "clip_model",
    "ViT-L-14.pt",
    "MIT",
    f"{_CLIP}/b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836/ViT-L-14.pt",
)
CLIP_BPE = WeightFile(
    "clip_model",
    "bpe_simple_vocab_16e6.txt.gz",
    "MIT",
    "https://github.com/openai/CLIP/raw/main/clip/bpe_simple_vocab_16e6.txt.gz",
)
LAION_LINEAR = WeightFile(
    "aesthetic_model/emb_reader",
    "sa_0_4_vit_l_14_linear.pth",
    "MIT",
    "https://github.com/LAION-AI/aesthetic-predictor/blob/main/sa_0_4_vit_l_14_linear.pth?raw=true",
)
MUSIQ_SPAQ = WeightFile(
    "pyiqa_model",
    "musiq_spaq_ckpt-358bb6af.pth",
    "CC BY-NC-SA 4.0 and S-Lab 1.0, non-commercial (pyiqa's conversion of Google's Apache-2.0 weights)",
    "https://github.com/chaofengc/IQA-PyTorch/releases/download/v0.1-weights/musiq_spaq_ckpt-358bb6af.pth",
)
RAFT_THINGS = WeightFile(
    "raft_model/models",
    "raft-things.pth",
    "BSD-3-Clause",
    "the archive models.zip that download_models.sh of github.com/princeton-vl/RAFT names",
)
AMT_S = WeightFile(
    "amt_model", "amt-s.pth", "CC-BY-NC-4.0 (no commercial use)", "huggingface.co/lalala125/AMT, file amt-s.pth"
)

FILES: dict[str, tuple[WeightFile, ...]] = {
    "subject_consistency": (DINO_WEIGHTS,),
    "background_consistency": (VIT_B_32,),
    "aesthetic_quality": (VIT_L_14, LAION_LINEAR),
    "imaging_quality": (MUSIQ_SPAQ,),
    "dynamic_degree": (RAFT_THINGS,),
    "motion_smoothness": (AMT_S,),
}
PROMPT_FILES = (VIT_B_32, CLIP_BPE)
"""Of prompt match, which is none of VBench's dimensions."""
