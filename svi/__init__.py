"""The training and generation core of error recycling. Imports no sibling package."""

import logging

# Where torchao is installed diffusers loads it, and both warn of names inside the other that nobody here can change.
for _name in ("torch.utils._pytree", "diffusers.quantizers.torchao.torchao_quantizer"):
    logging.getLogger(_name).setLevel(logging.ERROR)
