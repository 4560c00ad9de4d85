"""Hugging Face's transformers reads a GGUF model and PEFT its adapter, by themselves; what they compute must be what the trainer does. A table of
what must show; ends with 1 where something does not.

    python judge.py MODEL.gguf FOLDER LOGITS    # FOLDER of `portico train`; LOGITS: the trainer's example of that name
"""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import torch
from peft import PeftModel
from transformers import LlamaConfig, LlamaForCausalLM

import gguf_file

TOKENS = [1] + [(place * 37 + 5) % 512 for place in range(99)]
FAR = 1e-3


def base(model: Path) -> LlamaForCausalLM:
    """The model of the file in transformers, its rows in Hugging Face's order."""
    head, tensors = gguf_file.read(model)
    of = lambda key: head[f"llama.{key}"]  # noqa: E731
    width, heads = of("embedding_length"), of("attention.head_count")
    config = LlamaConfig(
        vocab_size=tensors["token_embd.weight"].shape[0], hidden_size=width, intermediate_size=of("feed_forward_length"),
        num_hidden_layers=of("block_count"), num_attention_heads=heads,
        num_key_value_heads=head.get("llama.attention.head_count_kv", heads), rms_norm_eps=of("attention.layer_norm_rms_epsilon"),
        max_position_embeddings=of("context_length"), tie_word_embeddings="output.weight" not in tensors,
        rope_parameters={"rope_type": "default", "rope_theta": head.get("llama.rope.freq_base", 10000.0)},
    )
    names = {
        "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    }
    whole = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
    state = {}
    for name, numbers in tensors.items():
        parts = name.removesuffix(".weight").split(".")
        there = whole[parts[0]] if parts[0] in whole else f"model.layers.{parts[1]}.{names[parts[2]]}"
        if parts[-1] in ("attn_q", "attn_k"):
            # llama.cpp's converter puts the two numbers of a pair side by side; back to halves.
            rows, width_in = numbers.shape
            half = width // heads // 2
            numbers = numbers.reshape(rows // (2 * half), half, 2, width_in).swapaxes(1, 2).reshape(rows, width_in)
        state[f"{there}.weight"] = torch.from_numpy(numbers.copy())
    made = LlamaForCausalLM(config).eval()
    missing, unexpected = made.load_state_dict(state, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    made.tie_weights()
    return made


def main() -> int:
    model, folder, tool = (Path(word) for word in sys.argv[1:4])
    rows: list[tuple[bool, str]] = []

    def ours(adapter: str) -> torch.Tensor:
        words = [tool, model, adapter, *map(str, TOKENS)]
        return torch.tensor(json.loads(subprocess.run(words, check=True, capture_output=True).stdout))

    @torch.no_grad()
    def theirs(of) -> torch.Tensor:
        return of(torch.tensor([TOKENS])).logits[0]

    plain, taught = ours("-"), ours(str(folder / "adapter.gguf"))
    made = base(model)
    before = theirs(made)
    rows.append(((before - plain).abs().max() < FAR, f"the model without an adapter: logits differ by {(before - plain).abs().max():.1e}"))

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        adapted = PeftModel.from_pretrained(made, folder).eval()
    complaints = [str(one.message) for one in said if "adapter" in str(one.message).lower()]
    rows.append((not complaints, f"PEFT loads the folder without a complaint {complaints or ''}"))
    loaded = {name: value for name, value in adapted.named_parameters() if ".lora_" in name}
    rows.append((bool(loaded) and all(value.abs().sum() > 0 for value in loaded.values()), f"{len(loaded)} of {len(loaded)} matrices hold numbers"))
    after = theirs(adapted)
    far, moved = (after - taught).abs().max(), (after - before).abs().max()
    rows.append((far < FAR, f"with the adapter: logits differ by {far:.1e}, and it changes them by up to {moved:.1f}"))
    rows.append((moved > 1, "the adapter changes something"))
    with adapted.disable_adapter():
        rows.append((torch.equal(theirs(adapted), before), "switched off, the model is what it was, to the last bit"))
    merged = adapted.merge_and_unload()
    rows.append(((theirs(merged) - taught).abs().max() < FAR, f"merged: logits differ by {(theirs(merged) - taught).abs().max():.1e}"))

    for holds, what in rows:
        print(f"{'shown' if holds else 'FAILED':<8}{what}")
    print(f"{sum(holds for holds, _ in map(lambda row: (bool(row[0]), row[1]), rows))} of {len(rows)} hold")
    return 0 if all(holds for holds, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
