"""Diffusion MRI: from a series and its gradient table to the state of the corticospinal tract.

Order: `preprocessing` (`denoise`, and `motion`, which turns the gradient table with the head),
`tensor`, `tract`.
Gradient directions are in world axes everywhere; FSL's convention exists at the edges alone,
in `gradients.read_gradients` and `gradients.to_fsl`.
"""
