"""What the official clients' tests share: the house behind the address in the environment (scripts/sdk starts one for all), or
one of its own where pytest is started by hand; and the clients, strict. A module named test_CLIENT_... counts for CLIENT."""

import json
import os
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parent))

MODEL = "echo/echo"


@pytest.fixture(scope="session")
def house():
    """`url`, `key`, `keys` (bound ones, see house.py), and `upstream`: the address of the scripted model server."""
    if "PORTICO_SDK_URL" in os.environ:
        yield SimpleNamespace(url=os.environ["PORTICO_SDK_URL"], key=os.environ["PORTICO_SDK_KEY"],
                              keys=json.loads(os.environ["PORTICO_SDK_KEYS"]), upstream=os.environ["PORTICO_SDK_UPSTREAM"])
        return
    from house import House

    own = House()
    yield SimpleNamespace(url=own.url, key=own.key, keys=own.keys, upstream=own.upstream.url)
    own.stop()


@pytest.fixture
def seen(house):
    """What the model server was sent, newest last: path, headers, body."""

    def look(path: str = "") -> list[dict]:
        with urllib.request.urlopen(f"{house.upstream}/__seen", timeout=10) as answer:
            return [one for one in json.load(answer)["seen"] if one["path"].endswith(path)]

    return look


@pytest.fixture
def client(house):
    """The synchronous `openai` client; an answer that its types do not describe is an error."""
    import openai

    with openai.OpenAI(base_url=f"{house.url}/v1", api_key=house.key, timeout=20, max_retries=0, _strict_response_validation=True) as one:
        yield one


@pytest.fixture
def lenient(client):
    """The same without that check, for the few places where OpenAI's types are narrower than OpenAI's server."""
    return client.with_options(_extra_kwargs={"_strict_response_validation": False})


@pytest.fixture
def local(house, client):
    """The model that runs in Portico's own engine."""
    names = [model.id for model in client.models.list() if model.id.startswith("local/")]
    if not names:
        pytest.skip("this binary has no engine, or the small model is absent")
    return names[0]
