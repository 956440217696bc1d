"""AWS as it is: moto behind a layer that refuses what AWS refuses, and takes its time.

moto answers as AWS does where all goes well. It lets pass what AWS refuses (a security group in use is
deleted, an instance is made twice with one client token), and what takes minutes is done at once. Here
nothing is, so that a teardown in the wrong order, a second creation and a wait that is missing are seen.
"""

from tests.kit.strict_aws.serving import strict_aws
from tests.kit.strict_aws.world import REGION, World

__all__ = ["REGION", "World", "strict_aws"]
