"""Flow matching under another past: for methods that change the frames which a clip is conditioned on, and nothing else."""

from torch import Tensor, nn

from svi.backbones.padding import past_of, with_past
from svi.objectives.objective import Clips, Objective, Setup


class History(Objective):
    """Plain flow matching with other motion frames in the condition; a method says which in `past`.

    An anchor, padding, mask and CLIP's feature stay as they are, but where the last motion frame is repeated its copies change too.
    """

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.frames = setup.backbone.latent_frames(self.settings.condition.motion_frames)

    def inputs(self, model: nn.Module, clips: Clips, step: int) -> Clips:
        read, channels = self.settings.condition, self.backbone.latent_shape[0]
        past = self.past(model, clips, past_of(clips.condition, read, channels, self.frames), step)
        return clips.changed(condition=with_past(clips.condition, read, past))

    def past(self, model: nn.Module, clips: Clips, true: Tensor, step: int) -> Tensor:
        """Latents of the motion frames as the model is given them, for the true ones. [B, C, m', h, w] -> the same"""
        return true
