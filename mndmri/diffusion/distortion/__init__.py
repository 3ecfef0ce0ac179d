"""Susceptibility distortion of echo-planar images: found in three ways, described in one.

A displacement is a 3D image on the RAS-stored diffusion grid, in voxels along the array axis of the phase
encoding: the undistorted voxel p finds its signal in the distorted image at p + displacement(p), with the same
intensity as it
was times 1 + the displacement's slope along the axis.
"""
