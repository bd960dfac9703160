"""What tests share: tiny languages, and the world that they run in.

`layers` declares layers and images, `trees` what they make, `docker` archives, `documents` JSON documents, `findings`
what checks say, `stacks` and `edits` random layers and trees, `blocks` tar headers byte by byte, `bad_images` images
that are refused; `process` runs functions in other processes and as other users, `peers` other programs, `overlay` the
kernel's file system, `canary` a file that must not be touched.
"""
