"""Teaches the adapter of job.json on train.jsonl with Hugging Face's TRL and PEFT, and leaves it in adapter/. Only the last answer of each conversation
is learned; the loss on held_out.jsonl is told after each epoch."""

import json
from pathlib import Path

import torch
from datasets import load_dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

HERE = Path(__file__).resolve().parent
job = json.loads((HERE / "job.json").read_text())


def conversations(name):
    rows = load_dataset("json", data_files=str(HERE / name), split="train")
    return rows.map(lambda row: {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]}, remove_columns=rows.column_names)


settings = SFTConfig(
    output_dir=str(HERE / "checkpoints"),
    num_train_epochs=job["epochs"],
    learning_rate=job["learning_rate"],
    lr_scheduler_type="cosine",
    warmup_steps=10,
    per_device_train_batch_size=1,
    gradient_accumulation_steps=8,
    max_length=job["context"],
    bf16=torch.cuda.is_available(),
    seed=job["seed"],
    logging_steps=1,
    eval_strategy="epoch" if job["held_out"] else "no",
    report_to="none",
)
trainer = SFTTrainer(
    model=job["base"],
    args=settings,
    train_dataset=conversations("train.jsonl"),
    eval_dataset=conversations("held_out.jsonl") if job["held_out"] else None,
    peft_config=LoraConfig(task_type="CAUSAL_LM", r=job["rank"], lora_alpha=job["alpha"], target_modules="all-linear"),
)
trainer.train()
trainer.save_model(str(HERE / "adapter"))
