"""BERT's forward pass as its paper gives it (Devlin et al., arXiv 1810.04805), in numpy and 64 bit: the judge of what the engine
computes. One text at a time, no padding, no mask. Weights are named as PyTorch's BertModel names them."""

from math import erf

import numpy as np

GELU = np.vectorize(erf, otypes=[np.float64])


class Bert:
    def __init__(self, weights: dict[str, np.ndarray], layers: int, heads: int, epsilon: float = 1e-12):
        self.weights = {name: tensor.astype(np.float64) for name, tensor in weights.items()}
        self.layers, self.heads, self.epsilon = layers, heads, epsilon

    def hidden(self, tokens: list[int]) -> np.ndarray:
        """The last layer's row for each token."""
        table = self.weights
        x = table["embeddings.word_embeddings.weight"][tokens]
        x = x + table["embeddings.position_embeddings.weight"][: len(tokens)] + table["embeddings.token_type_embeddings.weight"][0]
        x = self.norm(x, "embeddings.LayerNorm")
        for layer in range(self.layers):
            at = f"encoder.layer.{layer}."
            x = self.norm(x + self.attention(x, at), at + "attention.output.LayerNorm")
            inner = self.linear(x, at + "intermediate.dense")
            inner = inner * (1 + GELU(inner / np.sqrt(2))) / 2
            x = self.norm(x + self.linear(inner, at + "output.dense"), at + "output.LayerNorm")
        return x

    def attention(self, x: np.ndarray, at: str) -> np.ndarray:
        def split(name: str) -> np.ndarray:
            return self.linear(x, f"{at}attention.self.{name}").reshape(len(x), self.heads, -1).swapaxes(0, 1)

        query, key, value = split("query"), split("key"), split("value")
        scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = scores / scores.sum(-1, keepdims=True) @ value
        return self.linear(mixed.swapaxes(0, 1).reshape(len(x), -1), at + "attention.output.dense")

    def linear(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + self.epsilon)
        return scaled * self.weights[name + ".weight"] + self.weights[name + ".bias"]

    def mean(self, tokens: list[int]) -> np.ndarray:
        """The mean of the rows, of length 1."""
        pooled = self.hidden(tokens).mean(0)
        return pooled / np.linalg.norm(pooled)

    def score(self, tokens: list[int]) -> float:
        """What the classifier says of the first row: a probability."""
        pooled = np.tanh(self.linear(self.hidden(tokens)[:1], "classifier.dense"))
        return float(1 / (1 + np.exp(-self.linear(pooled, "classifier.out_proj")[0, 0])))


# PyTorch's names, and llama.cpp's.
NAMES = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm",
    "classifier.dense": "cls",
    "classifier.out_proj": "cls.output",
}
LAYER_NAMES = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}


def tensors(weights: dict[str, np.ndarray], layers: int) -> dict[str, np.ndarray]:
    """The weights as a GGUF file names them; what it does not hold (position_ids, the pooler of pre-training) is left out."""
    names = NAMES | {f"encoder.layer.{n}.{name}": f"blk.{n}.{theirs}" for n in range(layers) for name, theirs in LAYER_NAMES.items()}
    found = {}
    for name, theirs in names.items():
        for part in ("weight", "bias"):
            if (tensor := weights.get(f"{name}.{part}")) is not None:
                found[f"{theirs}.{part}"] = tensor
    return found


def keys(name: str, weights: dict[str, np.ndarray], layers: int, heads: int, pooling: int, vocabulary: list[str]) -> dict:
    """The metadata of a GGUF file. `pooling` is llama.cpp's number: 1 mean, 2 the first row, 4 a classifier."""
    control = {"[PAD]", "[CLS]", "[SEP]", "[MASK]"}
    ids = {token: number for number, token in enumerate(vocabulary)}

    def spelled(token: str) -> str:
        # A word's first piece begins with a space that is not in the text, and what follows it needs no mark.
        if token in control or token == "[UNK]":
            return token
        return token[2:] if token.startswith("##") else "\u2581" + token

    return {
        "general.architecture": "bert",
        "general.name": name,
        "general.file_type": 0,
        "bert.block_count": layers,
        "bert.context_length": len(weights["embeddings.position_embeddings.weight"]),
        "bert.embedding_length": weights["embeddings.word_embeddings.weight"].shape[1],
        "bert.feed_forward_length": len(weights["encoder.layer.0.intermediate.dense.bias"]),
        "bert.attention.head_count": heads,
        "bert.attention.layer_norm_epsilon": 1e-12,
        "bert.attention.causal": False,
        "bert.pooling_type": pooling,
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.token_type_count": len(weights["embeddings.token_type_embeddings.weight"]),
        "tokenizer.ggml.tokens": [spelled(token) for token in vocabulary],
        "tokenizer.ggml.token_type": [3 if token in control else 2 if token == "[UNK]" else 1 for token in vocabulary],
        "tokenizer.ggml.bos_token_id": ids["[CLS]"],
        "tokenizer.ggml.seperator_token_id": ids["[SEP]"],
        "tokenizer.ggml.unknown_token_id": ids["[UNK]"],
        "tokenizer.ggml.padding_token_id": ids["[PAD]"],
        "tokenizer.ggml.mask_token_id": ids["[MASK]"],
    }
