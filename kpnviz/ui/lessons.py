"""Short lessons: what is known, a question, and where to look for the answer with one's own eyes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kpnviz.ui.choices import BY_HAND
from kpnviz.ui.parameters import COLOR, GAIN, LEFT, PHOTO, SHAKE, TOP
from kpnviz.ui.presets import PRESETS, Preset


@dataclass(frozen=True)
class Lesson:
    """text, equation (LaTeX), source of the equation; a question with options, one of which is right; the reveal
    (Markdown); and a preset that shows it, whose `look` says what to look at."""

    title: str
    text: str
    equation: str
    source: str
    question: str
    options: tuple[str, ...]
    right: int
    reveal: str
    preset: Preset

    def __post_init__(self) -> None:
        """Equations and numbers are those of one channel, so a lesson's burst is gray."""
        gray = {**self.preset.scene, COLOR: False}
        object.__setattr__(self, "preset", replace(self.preset, scene=gray))


_MKPN = "MKPN paper"
_BEYOND = next(preset for preset in PRESETS if preset.scene.get(SHAKE) == BY_HAND)

LESSONS = (
    Lesson(
        "Noise",
        "A pixel counts light, and counting is uncertain; reading the count out adds more. In linear intensity, with "
        "white at 1, what is measured of the true intensity $y_p$ is normally distributed. $\\sigma_r$ is the *read* "
        "noise, the same everywhere; $\\sigma_s$ is the *shot* noise: the more light, the more of it. A higher gain "
        "raises both.",
        r"x_p \sim \mathcal{N}\left(y_p,\; \sigma_r^2 + \sigma_s\, y_p\right)",
        f"{_MKPN}, eq. 7",
        "In linear intensity, where is the noise of one frame stronger?",
        ("In the bright parts", "In the shadows", "It is the same everywhere"),
        0,
        "The variance $\\sigma_r^2 + \\sigma_s y_p$ grows with the intensity. On a screen the shadows look noisier "
        "all the same: the sRGB transfer is steepest near black and stretches what little noise is there.",
        Preset(
            "Noise",
            "These are signed errors in linear intensity: compare fur and nose in *Frame 0*. Then tick *sRGB transfer* "
            "under *Light* (on a keyboard: **l**): where are the errors larger now?",
            pixel=(74, 30),
            scene={SHAKE: "none"},
            display={"mode": "signed", "linear": True, "compare": "one", "shown": "frame"},
        ),
    ),
    Lesson(
        "Why average",
        "Noise differs from frame to frame, the scene does not. The mean of $N$ frames keeps the scene and has $1/N$ "
        "of the variance. A kernel prediction network does the same with a choice: its picture is the mean over the "
        "frames of each frame's patch $P_i$ weighted with a kernel $K_i$ that it predicts for this one pixel, so that "
        "it can average neighbors as well, and leave out what does not belong.",
        r"\hat I(x,y) = \frac1N \sum_{i=1}^{N} K_i(x,y) * P_i(x,y), \qquad "
        r"\operatorname{Var}\Big(\frac1N\sum_i x_i\Big) = \frac{\sigma^2}{N}",
        f"{_MKPN}, eq. 1",
        "Eight frames and nothing moves. In linear intensity, by how much does their mean beat one frame?",
        ("3 dB", "9 dB", "18 dB"),
        1,
        "$10 \\log_{10} 8 = 9.03$ dB: a decibel is a tenth of a power of ten of the *variance*. The scores under the "
        "pictures are taken after the sRGB transfer and clipping, so the difference there is not just this one.",
        Preset(
            "Why average",
            "Compare the decibels under *Frame 0* and *Plain mean*, and then those of the networks: what more than "
            "the mean of eight values do their kernels use?",
            pixel=(60, 64),
            scene={PHOTO: "guitar", TOP: 60, LEFT: 60, SHAKE: "none"},
        ),
    ),
    Lesson(
        "Misalignment and reach",
        "A hand shakes: in frame $i$ the scene lies $(dy_i, dx_i)$ pixels from where it is in frame 0. To use that "
        "frame, the network's kernel must have its weight *there*: that is how a kernel prediction network aligns, "
        "without ever computing a motion. But a kernel of $K \\times K$ pixels sees only so far.",
        r"\text{reach} = \frac{K-1}{2} \ge \max(|dy_i|, |dx_i|)",
        "the shape of a kernel",
        "Frame 5 is shifted by (+6, −6) pixels. Which is the smallest kernel that sees the right place?",
        ("5×5", "11×11", "13×13"),
        2,
        "A side of $2 \\cdot 6 + 1 = 13$ pixels. An 11×11 kernel sees 5 pixels to each side. A frame that lies beyond "
        "the reach can only be left out, or lend a blur of the wrong place.",
        _BEYOND,
    ),
    Lesson(
        "Matching",
        "How does a network know where the scene went? The papers stack the frames as channels of one picture "
        "and leave it to the network to find the motion: that took a million steps on a GPU. Most networks here "
        "are shown it. A **matching cost** compares frame $i$, moved by $d$, with frame 0 in a window around the "
        "pixel, in units of the noise ($g$): it is 0 where only noise differs, and large where the scene does. "
        "The softmax of minus the cost would be a kernel already: non-local means over the burst. The network "
        "learns what a distance of patches cannot know: how to smooth, and when to trust a frame.",
        r"C_i(d;\, x) = \operatorname*{mean}_{\text{window}} \tfrac12 \big(g_i(x+d) - g_0(x)\big)^2 - 1",
        "kpnviz; the idea is that of non-local means",
        "In a flat sky, which displacement has the least cost?",
        ("The true shift", "None: all cost about 0", "No shift at all"),
        1,
        "Nothing tells one patch of sky from another: all differ by noise alone. Nor does it matter, since any "
        "of them gives the same value, and the more are averaged, the better. At an edge only displacements "
        "along it are cheap; at a corner, only the true one.",
        Preset(
            "Matching",
            "The first rows are the costs of each frame, bright where it matches; below them is what the networks "
            "made of it. Compare a flat place, an edge and a corner: is the match a point, a line, or "
            "everywhere? And what does *MKPN stacked*, which is not shown the costs, do?",
            pixel=(40, 60),
            scene={PHOTO: "mies", TOP: 80, LEFT: 60, GAIN: 2.0, SHAKE: "±2"},
            methods=("mkpn", "mkpn-stacked"),
            display={"look": "matching"},
        ),
    ),
    Lesson(
        "Kernel size",
        "Where the scene is flat, more pixels are more measurements of the same thing: a large kernel averages more "
        "of them. Where it is not, neighbors are something else. MKPN predicts kernels of several sizes for each "
        "pixel, each the outer product of two short vectors, and applies their mean.",
        r"\tilde K_i(x,y) = \frac{1}{|S|} \sum_{s \in S} K_i^s(x,y), \qquad K_i^s = u_i^s \,(v_i^s)^{\!\top}",
        f"{_MKPN}, eq. 3 and section 2.1",
        "Flat sky, eight frames that need no aligning. How much less variance than one pixel can 5×5 kernels leave?",
        ("1/25", "1/200", "1/400"),
        1,
        "$8 \\cdot 5 \\cdot 5 = 200$ measurements; with equal weights, 1/200 of the variance. Kernels of 25×25 could "
        "use 5,000. Whether the networks do is to be seen: their weights need not be equal.",
        Preset(
            "Kernel size",
            "Pin a pixel of the sky, then one at the lights. Do the kernels of each method use the room that they "
            "have? Which method's sky is smoothest, and whose lights are sharpest?",
            pixel=(24, 70),
            scene={PHOTO: "haze", TOP: 40, LEFT: 140, GAIN: 8.0},
            methods=("kpn-l3", "kpn-l5", "kpn-l25", "mkpn"),
        ),
    ),
    Lesson(
        "Annealing",
        "A network that is asked only for a good mean may take an easy way out, denoise frame 0 and ignore the "
        "others. So training begins with a second wish: each frame's own estimate $\\hat I_i^s$ should look like the "
        "truth. Its weight $\\beta\\alpha^t$ falls with the step $t$.",
        r"\mathcal L(\hat I, I) = \ell(\hat I, I) + \beta\alpha^t \sum_{i=1}^{N}\sum_{s\in S} \ell(\hat I_i^s, I)",
        f"{_MKPN}, eq. 6",
        "The paper has β = 100 and α = 0.9998. After how many steps is the weight down to 1?",
        ("2,300", "23,000", "230,000"),
        1,
        "$t = \\ln\\beta / {-\\ln\\alpha} \\approx 23{,}000$, a fortieth of the paper's million steps. By then each "
        "frame's kernels should have learned to find the scene, and the mean may weigh them as it likes. (A shorter "
        "training needs another α; the card of each network beside its weights says how it was trained.)",
        Preset(
            "Annealing",
            "Small shifts, within reach of all. In frames 1 to 7, is the cross (where the kernel looks) near the "
            "ring (where the scene went)? *KPN stacked* was annealed, *KPN no-anneal* was not: in so short a "
            "training neither finds the motion. *KPN 5×5* is shown what matching says, and needs no annealing.",
            pixel=(40, 60),
            scene={PHOTO: "mies", TOP: 80, LEFT: 60, GAIN: 2.0, SHAKE: "±2"},
            methods=("kpn", "kpn-stacked", "kpn-no-anneal-stacked"),
        ),
    ),
    Lesson(
        "Noise estimate",
        "The network takes an assumed noise: a map of the standard deviation at each pixel, taken from frame "
        "0, goes in beside the frames. From a single noisy frame it is hard to tell noise from texture; with the map "
        "the network need not guess, not even at noise levels that it was never trained on.",
        r"\hat\sigma_p = \sqrt{\sigma_r^2 + \sigma_s \max(x_p, 0)}",
        f"{_MKPN}, eq. 8",
        "The same burst, but the assumed noise is four times the true one. What do the kernels do?",
        ("They widen", "They shrink", "They stay: the frames are the same"),
        0,
        "More noise asks for more averaging. A test holds every network with matching to this: from a quarter of the "
        "noise to the true one, its kernels widen, and frame 0 loses weight to the others. The page *Noise* shows it "
        "for any burst, and what a wrong estimate costs in decibels.",
        Preset(
            "Noise estimate",
            "*KPN blind* takes no assumed noise, and matches as if the noise were always the same. At this gain, ×16, "
            "noise makes every displacement match as badly: its kernels of frames 1 to 7 are flat, and follow nothing. "
            "In Explore, turn the gain down.",
            pixel=(62, 58),
            scene={PHOTO: "dog", TOP: 150, LEFT: 110, GAIN: 16.0},
            methods=("kpn", "mkpn", "kpn-blind"),
        ),
    ),
)
