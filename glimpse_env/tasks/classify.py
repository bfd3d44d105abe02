"""Classify an image from a few glimpses of it."""

from __future__ import annotations

from glimpse_env.tasks.image_task import ImageTask


class Classify(ImageTask):
    """Classify an image through a few glimpses.

    ## Description
    An image (a digit, or one of your own) is placed on a larger black canvas, among distractors: small crops of other
    images of the same split. The agent never observes the canvas. It observes a glimpse: `scales` patches around its
    fixation, each twice as wide as the one before and of the same size in cells, so that the periphery is blurred.
    After `num_glimpses` glimpses the last answer is scored. The tasks of Mnih et al. 2014, "Recurrent Models of Visual
    Attention", section 4.1, with the scenes of the generator published with it.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (2,), float32)` | the next fixation, x right, y down; (0, 0) is the centre, (-1, -1) the top left corner. With `saccades="relative"`, a step from the present fixation in the same unit. The fixation is clipped to the canvas. Its unit is half of the canvas, however large the image upon it is. |
    | `answer` | `Discrete(number of classes)` | the present answer |
    | `stop` | `Discrete(2)` | with the argument `stop` alone: 1 ends the episode |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `glimpse` | `Box(0, 1, (scales, channels, height, width), float32)` | the retina's patches, finest first; zero outside the canvas |
    | `location` | `Box(-1, 1, (2,), float32)` | the present fixation |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the episode |
    | `overview` | `Box(0, 1, (channels, rows, columns), float32)` | with the argument `overview` alone: means over the cells of a grid that covers the canvas; the same at every step |

    ## Rewards
    1 at the end for a right last answer, else 0; less `glimpse_cost` for each glimpse. `info` has at every step `target` (the class), `scored` (whether the
    answer of this step counts: in the last step), `correct` (whether it is right), and at the end `is_success`.

    ## Starting State
    The scene is a pure function of (seed, episode number): `reset(seed=s)` begins episode 0 of seed s, each further
    `reset()` the next; `reset(options={"episode": k})` begins episode k. The first fixation is the centre, or uniform
    over the canvas with `start="random"`.

    ## Episode End
    `terminated` after `num_glimpses` steps: `reset` returns the first glimpse, steps 1 to num_glimpses - 1 the others,
    and the last step's answer is scored (its location is ignored). Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `dataset` | `"mnist"` (`None` for `Classify-v0`) | or `"fashion_mnist"`, `"kmnist"`; `None` goes with `images` |
    | `images`, `labels` | | your own images in place of a dataset: arrays (only they and lists of files need `labels`), an `.npz` file, a list of image files, a folder of class folders, or a dataset of (image, label) pairs, as torchvision's and Hugging Face's are (`glimpse_env.datasets.load_images`) |
    | `resize` | `None` | the longest side in pixels, to which larger images are shrunk |
    | `fit` | `"pad"` | how images go onto the canvas. `"pad"`: each keeps its size, and has a random place. `"contain"`: each is scaled, in its proportions, until it just fits into the canvas, and lies in the middle. `"cover"`: each is scaled until it just covers the canvas, and is cropped to its middle. With the last two the canvas is `size`, or a square of `resize`; without both, the largest height and width of the images. What is not covered is black |
    | `channels` | as found | 1 for grey, 3 for RGB: images of the other kind are converted |
    | `background` | 128 | behind what is transparent in image files: a grey, or (red, green, blue), from 0 to 255 |
    | `names` | `"0"`, `"1"`, … | the class names of arrays; of a folder they are its folders', of an `.npz` its array `names`, of a dataset its own unless they are given |
    | `classes` | those of the labels | names: the classes in this order, onto which labels are mapped by name; or how many there are. Some may have no image here |
    | `split` | `"train"` | or `"validation"`, `"test"`. Of your own images these are 80, 10 and 10 percent of each class, always the same, at least ten images in all; or the folder's own, where it has subfolders of these names. `"all"` is every image of your own |
    | `num_glimpses` | 8 (7 at 28×28) | glimpses, and steps, of an episode |
    | `patch` | 12 (8 at 28×28) | size of a patch in cells, one number or (height, width) |
    | `scales` | 3 (1 at 28×28, 4 at 100×100) | patches of a glimpse |
    | `size` | by task | size of the canvas in pixels; `None` is the largest height and width of the images, or see `fit` |
    | `pieces`, `piece_size` | by task, 8 | number and size of the distractors |
    | `blend` | `"add"` | how pieces meet: add and clamp; `"max"` or `"over"` are easier tasks |
    | `overhang` | 0 | how far the image may stick out of the canvas, in pixels: variety for training |
    | `overview` | `None` | (rows, columns), or the number of cells along the canvas' longer side: every observation shows the whole canvas in coarse cells, too |
    | `augment` | `None` | canvases changed at random, as drawn from (seed, episode number): variety for training. Names of `shift`, `scale`, `flip`, `brightness`, `contrast`, `colour`, `noise`, `cutout`, with or without a strength from 0 to 1, as a text (`"shift,scale:0.5"`), a sequence or a mapping; or one strength of all but `flip`, which `True` is too (`glimpse_env.augmentation_strength`) |
    | `stop` | `False` | whether the action has a part `stop`, `Discrete(2)`: 1 ends the episode with the present answer |
    | `glimpse_cost` | 0.0 | what each glimpse takes from the reward |
    | `start` | `"centre"` | or `"random"` |
    | `saccades` | `"absolute"` | or `"relative"` |
    | `order` | `"random"` | or `"sequential"`: episode k shows image k, so that an evaluation shows each once |
    | `render_mode` | `None` | or `"rgb_array"`: `render()` draws the canvas and the gaze upon it |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named, such as `"cuda"` |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=4096)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """
