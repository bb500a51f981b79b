"""Settings of error recycling: which errors are put back, and the bank that keeps them. [P], [C] and [N]: see `svi.settings`."""

from typing import Literal

from svi.settings import Frozen, identity, later, runtime


class InjectionSettings(Frozen):
    """Which errors are injected, and how often. Banks and errors are named by the origin of the error."""

    p_vid: float = identity(0.9, "probability of E_vid on the video latent: [N] .5; [C][P] .9", ge=0, le=1)
    p_img: float = identity(0.9, "probability of E_img on the condition: [N] .5; [C][P] .9", ge=0, le=1)
    p_noi: float = identity(0.01, "probability of E_noi on the noise: [N] .5; [C][P] .01", ge=0, le=1)
    p_clean: float = identity(0.5, "probability that nothing is injected: [P] .5; [C] Film .5, others .2", ge=0, le=1)
    img_run: int = identity(3, "latent frames of the run taken as E_img, 0 the whole error: [C] n; [N] whole", ge=0)
    img_from: Literal["slots", "entries", "slot"] = later(
        "slots",
        "E_img is drawn evenly over the filled slots ([P] over t), over all entries of all slots ([C]), or from the slot of "
        "the sample's own t ([C] offers it)",
    )
    modulate: float = later(
        0.0, "an error of the bank is injected times U(1 - f, 1 + f): [C] offers it, f = 0 in the scripts", ge=0, le=1
    )
    img_first_slot: int = later(
        0, "E_img is drawn from slots from this one on, 0 that of noise ([C] offers a range)", ge=0
    )
    img_last_slot: int | None = later(None, "E_img is drawn from slots up to this one; none: the last", ge=0)
    img_pick: Literal["run", "last"] = later(
        "run", "E_img is a random run of the error's latent frames, or the last one ([C] offers it)"
    )
    img_domain: Literal["any", "scene", "clip", "shuffled"] = later(
        "any",
        "E_img is an error of any clip, of a clip with the sample's prompt, of its own clip (none while the bank has none), or of "
        "any clip with its latent pixels shuffled",
    )
    vid_noi_from: Literal["slot", "slots"] = later(
        "slot", "E_vid and E_noi are drawn from the slot of the sample's own t, or evenly over the filled slots"
    )
    img_spread: Literal["head", "tile"] = identity(
        "head", "E_img on the first frames of the condition, or repeated over all"
    )
    source: Literal["self", "handcrafted", "both"] = identity(
        "self",
        "errors of the model from the bank, noise, blur, colour and contrast made by hand, or either by even chance",
    )
    strength: float = identity(
        0.35, "handcrafted errors: mean root mean square in latent units (the embedded model's own have .3 to .4)", gt=0
    )

    def check_run(self, latent_frames: int) -> None:
        """Raises ValueError if a stored error, of so many latent frames, has no run as long as img_run."""
        if self.img_run > latent_frames:
            raise ValueError(
                f"injection.img_run is {self.img_run}, but a stored error has {latent_frames} latent frames; "
                f"set it to at most {latent_frames}, or to 0 for the whole error"
            )

    def img_slots(self, slots: int) -> range:
        """Those that E_img may come from, of so many. Raises ValueError for a range without any, or beside img_from=slot."""
        last = slots - 1 if self.img_last_slot is None else self.img_last_slot
        if not self.img_first_slot <= last < slots:
            raise ValueError(
                f"injection.img_first_slot={self.img_first_slot} and img_last_slot={last} name no slots of the bank's {slots} "
                f"(flow.inference_steps); set 0 <= first <= last <= {slots - 1}"
            )
        named = range(self.img_first_slot, last + 1)
        if self.img_from == "slot" and len(named) < slots:
            raise ValueError(
                "injection.img_from=slot draws from the slot of the sample's own t, so img_first_slot and img_last_slot do "
                "nothing; set img_from to slots or entries, or leave them out"
            )
        return named

    @property
    def by_clip(self) -> bool:
        """Whether it matters which clip an error is of."""
        return self.img_domain in ("scene", "clip")

    def check_scope(self, scope: str) -> None:
        """Raises ValueError where the bank cannot tell the clip of an error: that of a node is filled by many processes."""
        if self.by_clip and scope == "node":
            raise ValueError(
                f"injection.img_domain={self.img_domain} needs to know the clip of each error, and a bank that the ranks of a node "
                "share does not keep it; set bank.scope=rank"
            )


class BankSettings(Frozen):
    """The error bank: one slot for each inference timestep."""

    capacity: int = identity(500, "errors a slot (Z)", ge=1)
    replacement: Literal["l2", "random", "fifo"] = identity("l2", "which entry of a full slot makes room")
    lists: Literal[1, 2] = later(
        1,
        "1: an entry stands for both errors, and a full slot gives up one by its residual; [C] 2: a list for each error, "
        "each by its own L2 distance, in a file twice as large",
    )
    p_clean_update: float = identity(0.1, "probability that a clean step's error is banked: [C] .1; [N] 1", ge=0, le=1)
    warmup: int = identity(50, "first steps in which every rank banks all ranks' errors: [C] 50; [P] 20", ge=0)
    warmup_by: Literal["sample", "rank"] = later(
        "sample",
        "warm-up: p_clean_update decides for each of the gathered errors, or [C] for all of them at once, by this rank's own "
        "(first) sample",
    )
    scope: Literal["rank", "node"] = identity("rank", "one bank a rank, or one file that all ranks of a node share")
    dtype: Literal["float32", "bfloat16"] = identity("float32", "numbers of the stored errors")
    folder: str | None = runtime(
        None, "where the bank's file lies (a node's fast disk, /dev/shm); none: the stage's folder"
    )
