"""What every test file may use."""

from __future__ import annotations

import pytest
import torch

from glimpse_env.datasets import find_dataset

torch.set_num_threads(2)


def mnist_available() -> bool:
    """Whether MNIST lies in GLIMPSE_DATA or in the cache. Tests download nothing."""
    return find_dataset("mnist")[0] is not None


@pytest.fixture(scope="session")
def needs_mnist() -> None:
    if not mnist_available():
        pytest.skip("MNIST is neither in GLIMPSE_DATA nor in the cache; `make train` fetches it")
