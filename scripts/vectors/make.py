"""make.py MODEL FOLDER: two encoders as GGUF files, and what they must say, computed apart from llama.cpp: tokens by Hugging Face's
`tokenizers`, vectors and scores by `bert.py`. MODEL is the folder of all-MiniLM-L6-v2. In FOLDER: minilm.gguf, reranker.gguf (random
weights: no reranker comes from a registry) and reference.json."""

import hashlib
import json
import struct
import sys
from pathlib import Path

import bert
import gguf
import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

# The file as its makers publish it.
WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TEXTS = [
    "",
    " \t\n",
    "A man is eating food.",
    "Someone in a gallery is looking at a painting.",
    "The   quick\tbrown fox\njumps over the lazy dog!",
    "今天天气很好，我们去公园散步。",
    "人工智能正在改变世界；我们需要理解它。",
    "Portico 是一个自托管的 AI 平台 (v1.0), 支持中文与 English。",
    "Crème brûlée à la Carte — naïve coöperation, ŁÓDŹ",
    "fn main() { println!(\"{}\", 1 + 2 * 3); } // C++ & Rust",
    "https://example.org/a/b?c=d&e=f#g user@example.org +49 (0)30 12-34",
    "🙂 emoji 👩‍💻, ﬁ ligature, １２３ full width, ½ and ² and ™",
    "Привет, мир. こんにちは世界。 안녕하세요 세계. مرحبا",
    "supercalifragilisticexpialidocious antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
    "a" * 100,
    "[CLS] not markup [SEP] <s> </s> [MASK]",
    "0123456789 " * 20,
    "To be, or not to be, that is the question: " * 20,
    "word " * 510,
]
WORDS = "apple pear plum hammer nail saw is a fruit tool red green sweet heavy what which one".split()
LETTERS = list("abcdefghijklmnopqrstuvwxyz0123456789.,?!")
QUERY = "which one is a sweet fruit?"
DOCUMENTS = [
    "A hammer is a heavy tool.", "The apple is red and sweet.", "pear", "Plum, plum, plum!", "a green nail", "",
    "saw what one saw", "a fruit is no tool, and a tool is no fruit",
]


def main() -> None:
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    reference = {"texts": minilm(source, folder), "ranks": reranker(folder)}
    (folder / "reference.json").write_text(json.dumps(reference, ensure_ascii=False))


def minilm(source: Path, folder: Path) -> list[dict]:
    config = json.loads((source / "config.json").read_text())
    layers, heads = config["num_hidden_layers"], config["num_attention_heads"]
    weights = safetensors(source / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    vocabulary = [tokenizer.id_to_token(number) for number in range(tokenizer.get_vocab_size())]
    keys = bert.keys("all-MiniLM-L6-v2", weights, layers, heads, 1, vocabulary)
    gguf.write(folder / "minilm.gguf", keys, bert.tensors(weights, layers))
    model = bert.Bert(weights, layers, heads)
    # Text is text here: a special token that is written out means its letters.
    tokenizer.encode_special_tokens = True
    told = []
    for text in TEXTS:
        tokens = tokenizer.encode(text).ids
        told.append({"text": text, "tokens": tokens, "vector": model.mean(tokens).tolist()})
    return told


def reranker(folder: Path) -> dict:
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(WORDS + LETTERS), *("##" + letter for letter in LETTERS[:36])]
    width, inner, layers, heads, context = 32, 64, 2, 4, 64
    dice = np.random.default_rng(4)

    def linear(to: int, of: int, name: str) -> dict:
        return {f"{name}.weight": dice.normal(0, 0.4, (to, of)), f"{name}.bias": dice.normal(0, 0.1, to)}

    def norm(name: str) -> dict:
        return {f"{name}.weight": dice.normal(1, 0.1, width), f"{name}.bias": dice.normal(0, 0.1, width)}

    def table(rows: int, name: str) -> dict:
        return {f"embeddings.{name}_embeddings.weight": dice.normal(0, 1, (rows, width))}

    weights = table(len(vocabulary), "word") | table(context, "position") | table(1, "token_type") | norm("embeddings.LayerNorm")
    for layer in range(layers):
        at = f"encoder.layer.{layer}."
        for name in ("query", "key", "value"):
            weights |= linear(width, width, f"{at}attention.self.{name}")
        weights |= linear(width, width, at + "attention.output.dense") | norm(at + "attention.output.LayerNorm")
        weights |= linear(inner, width, at + "intermediate.dense") | linear(width, inner, at + "output.dense")
        weights |= norm(at + "output.LayerNorm")
    weights |= linear(width, width, "classifier.dense") | linear(1, width, "classifier.out_proj")
    weights = {name: tensor.astype(np.float32) for name, tensor in weights.items()}
    keys = bert.keys("random-reranker", weights, layers, heads, 4, vocabulary)
    gguf.write(folder / "reranker.gguf", keys, bert.tensors(weights, layers))

    tokenizer = Tokenizer(models.WordPiece({token: number for number, token in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    model = bert.Bert(weights, layers, heads)
    pairs = [tokenizer.encode(QUERY, document).ids for document in DOCUMENTS]
    ranked = [{"document": text, "tokens": pair, "score": model.score(pair)} for text, pair in zip(DOCUMENTS, pairs)]
    return {"query": QUERY, "documents": ranked}


def safetensors(path: Path) -> dict[str, np.ndarray]:
    """The format: https://github.com/huggingface/safetensors#format; only F32 is wanted."""
    data = path.read_bytes()
    if (found := hashlib.sha256(data).hexdigest()) != WEIGHTS:
        sys.exit(f"minilm: {path} is not the model that its makers publish (SHA-256 {found})")
    (length,) = struct.unpack_from("<Q", data)
    weights = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if entry.get("dtype") == "F32":
            begin, end = entry["data_offsets"]
            numbers = np.frombuffer(data, "<f4", (end - begin) // 4, 8 + length + begin)
            weights[name] = numbers.reshape(entry["shape"])
    return weights


main()
