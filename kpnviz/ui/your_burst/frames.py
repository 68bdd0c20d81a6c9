"""The frames of a burst of one's own: how they were aligned, and which of them is the reference."""

from __future__ import annotations

import re

import numpy as np
import streamlit as st

from kpnviz import figures
from kpnviz.capture.choosing import NOT_ALIGNED
from kpnviz.ui import elements, upload
from kpnviz.ui.elements import plain
from kpnviz.ui.parameters import OWN_MENDED
from kpnviz.ui.state import control, own_reference
from kpnviz.ui.upload import Upload
from kpnviz.ui.your_burst.meaning import numbers_of


def sentence(note: str) -> str:
    """Markdown of a note on the files, whole: an option of the command line is a control of this page."""
    return plain(re.sub(r"\(--(input|black|white)\b.*?\)", "under “What the numbers mean”", note), 2000)


def frames_of(burst: Upload) -> None:
    own, stack = burst.own, burst.own.stack
    used = len(set(own.order))
    count = f"{used} of {len(stack)} frames," if used < len(stack) else f"{used} frame{'s' * (used > 1)} of"
    st.subheader(f"{count} {stack.width} × {stack.height} pixels", anchor=False)
    st.markdown(plain(own.report, 2000))
    for note in stack.notes:
        st.caption(sentence(note))
    if len(stack) > 1 and not stack.known:
        st.toggle(
            "Mend hot pixels and fixed columns",
            help="A sensor's defects stay where they are while the scene moves. Off, the frames are used "
            "as they are.",
            **control(OWN_MENDED),
        )
    numbers_of(burst)
    with st.container(horizontal=True, gap="small"):
        for i, image in enumerate(burst.thumbnails):
            text = "**reference**" if i == own.reference else str(own.shifts[i])
            unused = "" if i in own.order else f" · {NOT_ALIGNED}" if i in own.left_out else " · not used"
            # Its number where kernels are shown: the reference comes first there, and others may be left out.
            number = f" · frame {own.order.index(i)} of the lens" if i in own.order and len(stack) > 1 else ""
            with st.container(width=150, gap="xxsmall"):
                st.image(image, width=150)
                st.caption(f"{plain(stack.names[i])}{number}  \n{text}{unused}")
                if i != own.reference and stack.shifts is None and stack.truth_place is None:
                    st.button(
                        "Make reference", key=own_reference(i), type="tertiary", on_click=upload.refer_to, args=(i,),
                        help="The others are laid onto it, and it is what is denoised.",
                    )  # fmt: skip
    if len(stack) > 1:
        alignment_of(burst)


def alignment_of(burst: Upload) -> None:
    """Of every frame, what was found and undone; and what is left to the kernels, as a small map."""
    own, stack = burst.own, burst.own.stack
    with st.expander("Alignment in numbers"):
        st.markdown(own.remaining_sentence)
        st.dataframe(
            [
                {
                    "frame": stack.names[i],
                    "used": i in own.order,
                    "found": shift.measured is not None,
                    "dy, px": shift.measured and elements.rounded(shift.measured[0], 1),
                    "dx, px": shift.measured and elements.rounded(shift.measured[1], 1),
                    "undone": shift.aligned,
                    "bend, px": shift.bend,
                    "brightness, EV": elements.rounded(float(np.log2(shift.brightness)), 2),
                    "sharpness": 100 * own.sharpness[i] / max(max(own.sharpness), 1e-12),
                }
                for i, shift in enumerate(own.shifts)
            ],
            hide_index=True,
            column_config={
                "dy, px": st.column_config.NumberColumn(format="%.1f"),
                "dx, px": st.column_config.NumberColumn(format="%.1f"),
                "bend, px": st.column_config.NumberColumn(
                    format="%.0f", help="How much displacements elsewhere differ from that in the middle"
                ),
                "brightness, EV": st.column_config.NumberColumn(
                    format="%+.2f", help="Against the reference; undone when the frame is read"
                ),
                "sharpness": st.column_config.NumberColumn(format="%.0f %%", help="Of the sharpest frame"),
            },
        )
        st.caption(
            "Shifts against the reference. Those beyond 2 pixels, a 5×5 kernel's reach, are undone to the "
            "nearest pixel before the network sees the frame; what remains is left to its kernels. A frame whose shift "
            "is not found is left out; of a synthetic burst it is used as it is, and has no part in the estimate of "
            "the noise. Where one shift would leave more than 3 pixels, as where the camera turned, blocks of the "
            "frame have displacements of their own; where it turned by several degrees, or zoomed, each pixel has."
        )
        st.markdown("**Left to the kernels**, and how many frames show it, in each ninth of the picture")
        elements.chart(figures.ninths(*own.remaining(), (stack.height, stack.width)), "own_remaining")
        st.caption(
            "The largest displacement that is not undone, of all frames that were found, but for a hundredth of "
            "each part. MKPN's kernels reach 5 pixels."
        )
