"""The kernels that a network predicts for every pixel, frame and kernel size: of the networks here, or of any other."""

from kpnviz.kernels.arrays import dilated, gathered, odd_sized
from kpnviz.kernels.field import KernelField, factor_channels
from kpnviz.limits import MAX_KERNEL

__all__ = ["MAX_KERNEL", "KernelField", "dilated", "factor_channels", "gathered", "odd_sized"]
