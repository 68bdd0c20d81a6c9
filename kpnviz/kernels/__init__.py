"""Kernels of every pixel, frame and kernel size, as the networks here or any other network predicts them."""

from kpnviz.kernels.arrays import dilated, gathered, odd_sized
from kpnviz.kernels.field import KernelField, factor_channels
from kpnviz.limits import MAX_KERNEL

__all__ = ["MAX_KERNEL", "KernelField", "dilated", "factor_channels", "gathered", "odd_sized"]
