"""The gateways that Portico is measured beside, each started as its makers describe it, with a key to check and two deployments
to choose from, as Portico has. None of them may reach anything but the mock: they run without a way to the network where we are
root (see load/run). What is missing comes by scripts/peers."""

import json
import os
import sys
from pathlib import Path

from bench import WORK, Stage, free_port, until_open

PLACE = WORK / "peers"
KEY = "sk-bench"
# Each has its own proxies for asking the world about prices, tokenizers and versions; all of it is off.
QUIET = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "LITELLM_MODE": "PRODUCTION", "LITELLM_LOG": "ERROR",
         "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9", "NO_PROXY": "*", "no_proxy": "*", "DO_NOT_TRACK": "1"}
# LiteLLM answers some 50 requests per second: fewer at once, or every request would wait for seconds.
SLOW = {"litellm"}


class Peer:
    """A running one: its port, its process, and what a request to it needs besides the key."""

    def __init__(self, stage: Stage, name: str, mocks: list[int]):
        self.name, self.port, self.headers = name, free_port(), ""
        home = stage.folder / f"home-{name}"
        home.mkdir()
        command, env = getattr(self, name.replace("-", "_"))(home, mocks)
        self.process = stage.start(*command, env={**os.environ, **QUIET, "HOME": str(home), **env}, cwd=home)
        until_open(self.port, self.process, seconds=90)

    def litellm(self, home: Path, mocks: list[int]):
        models = [{"model_name": "mock", "litellm_params": {"model": "openai/mock", "api_base": f"http://127.0.0.1:{mock}/v1", "api_key": KEY}}
                  for mock in mocks]
        settings = {"model_list": models, "general_settings": {"master_key": KEY}, "litellm_settings": {"telemetry": False},
                    "router_settings": {"routing_strategy": "least-busy"}}
        # JSON is YAML.
        (home / "config.yaml").write_text(json.dumps(settings))
        return ([sys.executable, PLACE / "litellm/bin/litellm", "--config", home / "config.yaml", "--host", "127.0.0.1", "--port", self.port,
                 "--telemetry", "False"], {"PYTHONPATH": str(PLACE / "litellm")})

    def sglang_router(self, home: Path, mocks: list[int]):
        return ([sys.executable, PLACE / "sglang-router/bin/smg", "launch", "--host", "127.0.0.1", "--port", self.port, "--api-key", KEY,
                 "--worker-urls", *[f"http://127.0.0.1:{mock}" for mock in mocks], "--policy", "power_of_two",
                 "--prometheus-port", free_port(), "--log-level", "error"], {"PYTHONPATH": str(PLACE / "sglang-router")})

    def portkey(self, home: Path, mocks: list[int]):
        targets = [{"provider": "openai", "api_key": KEY, "weight": 1, "custom_host": f"http://127.0.0.1:{mock}/v1"} for mock in mocks]
        self.headers = "x-portkey-config: " + json.dumps({"strategy": {"mode": "loadbalance"}, "targets": targets})
        return (["node", PLACE / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js", f"--port={self.port}", "--headless"], {})


PEERS = ["sglang-router", "portkey", "litellm"]
