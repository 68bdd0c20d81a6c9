"""Short lessons: what is known, a question, one figure that shows the answer, and what the test set says."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kpnviz.evaluation.results import Results
from kpnviz.lens.texts.examples import BEYOND_REACH, Example
from kpnviz.lens.texts.measured import Measured, MissingError, Sayer


@dataclass(frozen=True)
class Lesson:
    """A lesson. Texts are Markdown, with $formulas$.

    equation, source   LaTeX, and where it is from
    options, right     answers to choose from, and the place of the right one
    reveal             what is said once there is an answer
    figure             name of the figure that the lesson is about: who shows a lesson draws it from `burst`
    caption            what is to be seen in it
    in_lens            the same where the lens stands in place of the figure; "": the caption is true of both
    burst              of the figure
    opens              the page that goes on from here: explore shows the burst, another one what it shows at first
    measured           puts what the test set says into a sentence, or "" where there is nothing to say
    """

    title: str
    text: str
    equation: str
    source: str
    question: str
    options: tuple[str, ...]
    right: int
    reveal: str
    figure: str
    caption: str
    burst: Example
    in_lens: str = ""
    opens: str = "explore"
    measured: Callable[[Sayer], str] = lambda say: ""

    def __post_init__(self) -> None:
        """Equations and numbers are those of one channel, so a lesson's burst is gray."""
        gray = {**self.burst.scene, "color": False}
        object.__setattr__(self, "burst", dataclasses.replace(self.burst, scene=gray))


def said(lesson: Lesson, results: Results) -> tuple[str, list[Measured]]:
    """What the test set says of a lesson, with [[0]], [[1]], … for its numbers, and the numbers; "" for nothing.

    Bursts that show the numbers are of the lesson's scene, or of another one that shows them better.
    """
    scene = {
        name: value for name, value in lesson.burst.scene.items() if name in ("photo", "top", "left", "seed")
    }
    say = Sayer(results, scene)
    try:
        return lesson.measured(say), say.numbers
    except MissingError:
        return "", []


_MKPN = "MKPN paper"


def _follows(say: Sayer) -> str:
    return (
        "the slope of the kernels' centroids on the true shifts is "
        f"{say.alignment('mkpn', 'whole-pixel', 1, 'mkpn-stacked')} for MKPN and "
        f"{say.alignment('mkpn-stacked', 'whole-pixel', 1, 'mkpn')} for MKPN stacked (whole-pixel shake, gain "
        f"×1); MKPN is {say.ahead('mkpn', 'mkpn-stacked', 'whole-pixel', 1)}."
    )


def _reaches(say: Sayer) -> str:
    return (
        f"with whole-pixel shake at gain ×1, where some frames go as far as 16 pixels, KPN L25 is "
        f"{say.ahead('kpn-l25', 'kpn-l5', 'whole-pixel', 1)}; with sub-pixel shake, where they go as far, it is "
        f"{say.ahead('kpn-l25', 'kpn-l5', 'sub-pixel', 1)}."
    )


def _grows(say: Sayer) -> str:
    say.scene = {"photo": "guitar", "top": 60, "left": 60, "seed": 1}
    return (
        f"at gain ×8 KPN L5 is {say.ahead('kpn-l5', 'kpn-l3', 'sub-pixel', 8)}, L9 is "
        f"{say.ahead('kpn-l9', 'kpn-l5', 'sub-pixel', 8)}, and L25 is "
        f"{say.ahead('kpn-l25', 'kpn-l9', 'sub-pixel', 8)} (sub-pixel shake)."
    )


def _fuses(say: Sayer) -> str:
    say.scene = {"photo": "girl", "top": 60, "left": 60, "seed": 1}
    return (
        f"at gain ×8 MKPN is {say.ahead('mkpn', 'kpn-l5', 'sub-pixel', 8)}, "
        f"{say.ahead('mkpn', 'kpn-l9', 'sub-pixel', 8)} and {say.ahead('mkpn', 'kpn-l25', 'sub-pixel', 8)} (sub-pixel "
        "shake). *Results* has all sizes."
    )


def _anneals(say: Sayer) -> str:
    say.scene = {"photo": "bulb", "top": 60, "left": 60, "seed": 1}
    return (
        f"KPN stacked is {say.ahead('kpn-stacked', 'kpn-no-anneal-stacked', 'whole-pixel', 4)} at gain ×4 and "
        f"{say.ahead('kpn-stacked', 'kpn-no-anneal-stacked', 'whole-pixel', 16)} at ×16 (whole-pixel shake). The "
        "alignment of both is "
        f"{say.alignment('kpn-stacked', 'whole-pixel', 4, 'kpn')} and "
        f"{say.alignment('kpn-no-anneal-stacked', 'whole-pixel', 4, 'kpn')}: so small and so shortly trained, neither "
        "finds the motion. Networks with matching were not annealed."
    )


def _assumes(say: Sayer) -> str:
    half = say.apart("mkpn", "mkpn", "sub-pixel", 4, noise=(0.5, 1.0), sign=-1)
    twice = say.apart("mkpn", "mkpn", "sub-pixel", 4, noise=(2.0, 1.0), sign=-1)
    robust = say.apart("mkpn-robust", "mkpn-robust", "sub-pixel", 4, noise=(0.5, 1.0), sign=-1)
    return (
        f"at gain ×4, with sub-pixel shake, MKPN loses {half} when it is told half the true noise, and {twice} when "
        "it is told twice as much. MKPN robust, which was told a wrong noise in a fifth of its training, loses "
        f"{robust} at half. KPN 5×5, which is told the noise, is "
        f"{say.ahead('kpn', 'kpn-blind', 'sub-pixel', 4)}, which is not."
    )


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
        "noise",
        "Eight frames, and how far their pixels lie from the truth, by the true intensity: in linear intensity, "
        "on the line of the equation; and as a screen shows them, after the sRGB transfer.",
        Example("Noise", "", pixel=(74, 30), scene={"shake": "none"},
                display={"mode": "signed", "linear": True, "compare": "one", "shown": "frame"}),
    ),
    Lesson(
        "Why average",
        "Noise differs from frame to frame, the scene does not. The mean of $N$ frames keeps the scene and has "
        "$1/N$ of the variance. Such a gain is stated in decibels, dB: ten times the decimal logarithm of the ratio of "
        "two variances; 10 dB are a factor of ten, 3 dB one of two. A kernel prediction network does the same with a "
        "choice: its picture is the mean over the frames of each frame's patch $P_i$ weighted with a kernel $K_i$ that "
        "it predicts for this one pixel, so that it can average neighbors as well, and leave out what does not belong.",
        r"\begin{gathered} \hat I(x,y) = \frac1N \sum_{i=1}^{N} K_i(x,y) * P_i(x,y) \\ "
        r"\operatorname{Var}\Big(\frac1N\sum_i x_i\Big) = \frac{\sigma^2}{N} \end{gathered}",
        f"{_MKPN}, eq. 1",
        "Eight frames and nothing moves. In linear intensity, by how much does their mean beat one frame?",
        ("3 dB", "9 dB", "18 dB"),
        1,
        "The variance falls to an eighth: $10 \\log_{10} 8 = 9.03$ dB. Where the hand shakes, the plain mean, of the "
        "frames where they lie, soon loses: it averages different things.",
        "average",
        "By how many dB the plain mean of the first n frames is closer to the truth than frame 0, in linear intensity: "
        "of a camera that stands still, and of one that shakes.",
        Example("Why average", "", pixel=(60, 64),
                scene={"photo": "guitar", "top": 60, "left": 60, "shake": "none"}),
    ),
    Lesson(
        "Misalignment and reach",
        "A hand shakes: in frame $i$ the scene lies $(dy_i, dx_i)$ pixels from where it is in frame 0. To use "
        "that frame, its kernel must have its weight *there*. So a kernel prediction network aligns with its "
        "kernels alone: no frame is moved before they are applied. (What the network is shown, so that it knows "
        "where, is the next lesson.) But a kernel of $K \\times K$ pixels sees only so far.",
        r"\text{reach} = \frac{K-1}{2} \ge \max(|dy_i|, |dx_i|)",
        "the shape of a kernel",
        "Frame 5 is shifted by (+6, −6) pixels. Which is the smallest kernel that sees the right place?",
        ("5×5", "11×11", "13×13"),
        2,
        "A side of $2 \\cdot 6 + 1 = 13$ pixels. An 11×11 kernel sees 5 pixels to each side. A frame that lies "
        "beyond the reach can only be left out, or lend a blur of the wrong place.",
        "reach",
        "The share of each frame, the mean over the picture, against how far it is shifted: each network uses a "
        "frame as far as its kernels reach (the dotted lines).",
        BEYOND_REACH,
        measured=_reaches,
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
        "matching",
        "One frame at a flat place, at an edge and at a corner: what matching alone would weigh, and what MKPN "
        "makes of it. And where kernels look against where the scene went, at textured pixels: MKPN, which is "
        "shown the costs, and MKPN stacked, which is not, and with its small trunk and short training did not find the "
        "motion.",
        Example("Matching", "", pixel=(68, 42),
                scene={"photo": "city", "top": 60, "left": 60, "gain": 2.0, "shake": "±2"},
                methods=("mkpn", "mkpn-stacked"), display={"look": "matching"}),
        in_lens="One pixel at a corner: what matching alone would weigh in each frame, and what each network makes of "
        "it. Move to a flat place, and along an edge. MKPN is shown the costs; MKPN stacked is not, and with its small "
        "trunk and short training did not find the motion.",
        measured=_follows,
    ),
    Lesson(
        "Kernel size",
        "Where the scene is flat, more pixels are more measurements of the same thing: a large kernel averages more "
        "of them. Where it is not, neighbors are something else, and a large kernel has to leave them out.",
        r"\operatorname{Var} \hat I = \frac{\sigma^2}{N^2} \sum_{i,a,b} K_i(a,b)^2 \;\ge\; \frac{\sigma^2}{N K^2}",
        "weights that sum to 1; equal ones leave least",
        "Flat sky, eight frames that need no aligning. How much less variance than one pixel can 5×5 kernels leave?",
        ("1/25", "1/200", "1/400"),
        1,
        "$8 \\cdot 5 \\cdot 5 = 200$ measurements; with equal weights, 1/200 of the variance. Kernels of 25×25 could "
        "use 5,000. The networks come closest with small kernels; large ones would have to be nearly even.",
        "size",
        "The noise that each network leaves in 24×24 pixels of sky, as a part of the variance of one frame, by "
        "the equation above with its kernels; and the least that kernels of that size can leave.",
        Example("Kernel size", "", pixel=(24, 70),
                scene={"photo": "haze", "top": 40, "left": 140, "gain": 8.0, "shake": "none"},
                methods=("kpn-l3", "kpn-l5", "kpn-l25", "mkpn")),
        measured=_grows,
    ),
    Lesson(
        "Fusing sizes",
        "Which size is best depends on the pixel. MKPN does not choose: for each pixel and frame it predicts "
        "kernels of six sizes $s$, each the outer product of two short vectors, and applies their mean, the "
        "**fused** kernel. In it the small sizes draw a sharp middle, the large ones a wide and faint "
        "surrounding, and the network sets how much of each.",
        r"\begin{gathered} \tilde K_i(x,y) = \frac{1}{|S|} \sum_{s \in S} K_i^s(x,y) \\ "
        r"K_i^s = u_i^s \,(v_i^s)^{\!\top} \end{gathered}",
        f"{_MKPN}, eq. 3 and section 2.1",
        "A fused kernel has 11×11 weights. How many numbers does MKPN predict for it, with sizes 1, 3, 5, 7, 9 "
        "and 11?",
        ("72", "121", "286"),
        0,
        "$2 \\cdot (1+3+5+7+9+11) = 72$: two vectors for each size. One dense kernel of 11×11 has 121 weights, "
        "all six sizes as dense kernels have 286. A sum of six outer products is less free than a dense kernel, "
        "but not as stiff as one.",
        "fusing",
        "The kernels of frame 0 at a pixel of the sky and at one of the lights, size by size, and their mean. "
        "Switch sizes off: the mean of those that are left is applied to the whole picture.",
        Example("Fusing sizes", "", pixel=(24, 70),
                scene={"photo": "haze", "top": 40, "left": 140, "gain": 8.0}, methods=("mkpn",),
                display={"look": "parts"}),
        in_lens="The kernels of one frame at a pixel of the sky, size by size, and their mean; move to one of the "
        "lights. Switch sizes off: the mean of those that are left is applied to the whole picture.",
        measured=_fuses,
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
        "annealing",
        "The weight βαᵗ of the second wish in the loss, with the paper's β and α, against the training step t. Dashed: "
        "the weight of the first wish, a good picture, which is 1 throughout.",
        Example("Annealing", "", pixel=(40, 60),
                scene={"photo": "mies", "top": 80, "left": 60, "gain": 2.0, "shake": "±2"},
                methods=("kpn", "kpn-stacked", "kpn-no-anneal-stacked")),
        measured=_anneals,
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
        "More noise asks for more averaging. A test holds every network with matching that learned with the true noise "
        "to this: from a quarter of the noise to the true one, its kernels widen, and frame 0 loses weight to the "
        "others.",
        "assumed",
        "MKPN's picture and its kernel of frame 0 at the marked pixel, the same burst each time: only the "
        "assumed noise changes.",
        Example("Noise estimate", "", pixel=(62, 58),
                scene={"photo": "dog", "top": 150, "left": 110, "gain": 4.0}, methods=("mkpn", "kpn-blind")),
        in_lens="MKPN's kernels and those of KPN blind, which takes no assumed noise. Move the slider *Assumed noise*, "
        "under the pictures: MKPN's kernels and picture follow, those of KPN blind stay.",
        measured=_assumes,
    ),
    Lesson(
        "Kernels of other networks",
        "Networks predict kernels elsewhere, too: to interpolate frames (SepConv, 2017), to denoise Monte Carlo "
        "renderings (KPCN, 2017), to denoise with a basis of kernels (BPN, 2020). They differ in shape, padding "
        "and sum, and all can be looked at in the same way, because they keep one promise: the kernels, applied "
        "to the frames, *are* the picture. kpnviz checks that promise before it shows a kernel.",
        r"\hat I(x,y) \;\overset{?}{=}\; \sum_{i} \sum_{a,b} K_i(x,y)[a,b]\; I_i(x+b,\, y+a)",
        "what is shown is what was applied",
        "A network filters the frames with its kernels and then adds a correction of its own. What do its "
        "kernels show?",
        ("All that it does", "What the kernels do; not the correction", "Nothing"),
        1,
        "The kernels then make a picture, but not the network's. Give kpnviz both, and it says by how much they "
        "differ, and what would explain it: another padding, a factor, a constant, channels in another order, a "
        "residual.",
        "others",
        "A bilateral filter over a burst, written as kernels with NumPy alone and opened from a file. Move over "
        "the picture: the value beside the kernels is what they make of the frames at that pixel.",
        Example("Kernels of other networks", "", pixel=None),
        opens="your_kernels",
    ),
    Lesson(
        "Real bursts",
        "A hand does not only shift a picture by whole pixels. It turns, and near things move more than far "
        "ones; exposure and white balance may change from frame to frame; and nobody says how noisy the frames "
        "are. Before a network sees your own burst, kpnviz aligns its frames coarsely by whole pixels, region by "
        "region, brings them to one brightness, and estimates read and shot noise from the frames themselves. "
        "What is left of the motion is for the kernels.",
        r"\begin{gathered} \text{motion}_i(x, y) = \text{coarse}_i(x, y) + \text{rest}_i(x, y) \\ "
        r"|\text{rest}_i| \le \text{reach} \end{gathered}",
        "how kpnviz prepares a burst",
        "The camera turns by 0.5° while it takes a burst. How far does a pixel 1,000 px from the point of "
        "rotation move?",
        ("About 0.5 px", "About 9 px", "About 500 px"),
        1,
        "$1000 \\cdot 0.5° \\cdot \\pi/180° \\approx 8.7$ px: beyond the reach of 11×11 kernels, and different "
        "at every place, so that no one shift of a frame is right. Over the 128 pixels of the figure the same "
        "turn is half a pixel at the edge.",
        "real",
        "The last frame of a burst of a hand that turns, with a layer in front that moves more. Left, where the "
        "scene went; right, where MKPN's kernels look. Arrows are drawn enlarged.",
        Example("Real bursts", "", pixel=(70, 66),
                scene={"photo": "flowers", "top": 50, "left": 60, "seed": 6, "gain": 1.0, "shake": "handheld"},
                methods=("mkpn",)),
        in_lens="The last frame of a burst of a hand that turns, with a layer in front that moves more. Over the "
        "picture, where MKPN's kernels look in that frame. Arrows are drawn enlarged.",
        opens="your_burst",
    ),
)  # fmt: skip


def as_json(results: Results) -> list[dict[str, Any]]:
    """The lessons as plain values, with what the test set says (`said`)."""
    found = []
    for lesson in LESSONS:
        sentence, numbers = said(lesson, results)
        values = {f.name: getattr(lesson, f.name) for f in dataclasses.fields(lesson) if f.name != "measured"}
        values["burst"] = dataclasses.asdict(lesson.burst)
        found.append(
            values | {"said": sentence, "numbers": [dataclasses.asdict(number) for number in numbers]}
        )
    return found
