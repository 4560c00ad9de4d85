//! What the mock says: a long answer with everything Markdown has, faults on demand (`/fail`, `/length`, `/think`, `/trim`, `/slow`, `/drop`, `/queue`, `/fallback`), and a past to search in.

const CONTRACT = `## 1. 审查结论

根据《民法典》第五百八十五条，**违约金过高**的，可以请求人民法院“适当减少”。下面逐条列出风险，完整条文见[官方网站](https://flk.npc.gov.cn/)。

- 甲方责任：交付期限、验收标准、**保密义务**。
- 乙方责任：
  1. 首付款 40%
  2. 尾款 60%
- [x] 已核对签章
- [ ] 待补充附件

| 条款 | 风险 | 建议 Recommendation | 置信度 |
|:--|:-:|:--|--:|
| 违约金 | 高 | 下调至 30% | 0.92 |
| 管辖 | 中 | 约定仲裁，并写明仲裁机构与语言 | 0.81 |
| 知识产权归属 | 低 | 维持原约定 | 0.77 |

> 自建模型的边际成本趋近于零，但**不是零**——电费、折旧与运维都要计入。

### 违约金的计算

设实际损失为 \\(L\\)，约定违约金为 \\(P\\)，一般认为 \\(P > 1.3L\\) 属于过高：

\\[
\\mathrm{Attn}(Q,K,V)=\\mathrm{softmax}\\!\\left(\\frac{QK^\\top}{\\sqrt{d_k}}\\right)V
\\]

### 脚本

\`\`\`python
from decimal import Decimal

def penalty(loss: Decimal, agreed: Decimal) -> Decimal:
    """超过实际损失 30% 的部分可以请求减少。"""
    ceiling = loss * Decimal("1.3")
    return min(agreed, ceiling)  # 金额以分为单位
\`\`\`

### 流程

\`\`\`mermaid
flowchart LR
  A[上传合同] --> B{提取条款}
  B -->|高风险| C[人工复核]
  B -->|低风险| D[生成报告]
  C --> D
\`\`\`

需要的话，我可以把以上修改直接写成**修订稿**。`;

const ENGLISH = `Here is the short version: the clause caps liability at *30 %* of the actual loss, see \`Section 1.2\`.

## What it means

1. The supplier pays at most 30 % above the loss.
2. A court may still **reduce** the penalty.

| Clause | Risk | Recommendation |
|:--|:-:|--:|
| Penalty | High | Lower to 30 % |
| Venue | Medium | Agree on arbitration |

\`\`\`rust
fn penalty(loss: Micros, agreed: Micros) -> Micros {
    // Whatever exceeds 1.3 times the loss can be reduced.
    agreed.min(loss * 13 / 10)
}
\`\`\`

The price was $5 and is now $6; the bound is $x^2 + y^2 \\le r^2$.`;

const pieces = (text) => text.match(/[\s\S]{1,3}/g) ?? [];

export function answerFor(question, model) {
  if (question.includes("/fail")) return { pieces: pieces("The first half arrived"), failure: { code: "cut", message: "the connection to the model broke" } };
  if (question.includes("/unreachable")) return { pieces: [], failure: { code: "unreachable", message: "http://127.0.0.1:11434 refuses connections" } };
  if (question.includes("/length")) return { pieces: pieces("It was a dark and stormy night, and"), finish: "length" };
  if (question.includes("/empty")) return { pieces: [] };
  if (question.includes("/slow")) return { pieces: pieces(CONTRACT), wait: 4000, pace: 60 };
  if (question.includes("/drop")) return { pieces: pieces(CONTRACT), pace: 30 };
  if (question.includes("/think")) return { thought: pieces("先看合同类型，再看违约金条款，最后核对管辖约定。这里的违约金明显高于实际损失。"), pieces: pieces("结论：违约金条款需要调整。") };
  if (question.includes("/trim")) return { trimmed: { messages: 12, tokens: 5320 }, pieces: pieces("Only the newest messages were read for this answer.") };
  if (model.chat_template === false) return { pieces: pieces(" She liked to play outside in the park. One day, she saw a big, red ball.") };
  return { pieces: pieces(/[\u4e00-\u9fff]/.test(question) ? CONTRACT : ENGLISH), pace: 8 };
}

const DAY = 86_400_000;
const PAST = [
  ["供应商合同风险审查", 0.02, true, "请审查这份供应商合同，标出高风险条款并给出修改建议。", CONTRACT],
  ["三季度客服质检周报", 0.1, false, "把这些质检记录整理成周报。", "已整理。主要问题集中在**首次响应时间**。"],
  ["Onboarding FAQ draft", 0.15, false, "Draft an onboarding FAQ for new colleagues.", ENGLISH],
  ["LoRA 训练集清洗", 1.1, false, "训练集里重复样本怎么清洗？", "先按内容哈希去重，再用相似度去近似重复。"],
  ["仲裁条款对比", 1.2, false, "对比三种仲裁条款。", "可以从**机构**、**语言**、**地点**三方面对比。"],
  ["vLLM 部署排障", 3, false, "vLLM 启动报显存不足。", "把 `--gpu-memory-utilization` 调低到 0.85 试试。"],
  ["Quarterly report outline", 5, false, "Outline the quarterly report.", ENGLISH],
  ["病历摘要模板", 12, false, "给我一个病历摘要模板。", "可以按 SOAP 结构来写。"],
  ["Why is the sky blue", 20, false, "Why is the sky blue?", "Because short wavelengths scatter more."],
  ["教学：什么是注意力机制", 44, false, "给高中生讲注意力机制。", "想象你在嘈杂的教室里听同桌说话。"],
  ["Database migration plan", 75, false, "Plan the migration.", "In three steps."],
];

export function seed(newConversation, newMessage, state) {
  if (process.env.MOCK_EMPTY) return;
  const model = state.models[0]?.id ?? null;
  for (const [title, days, pinned, question, answer] of PAST.toReversed()) {
    const at = Date.now() - days * DAY;
    const conversation = newConversation({ title, titled_by: "auto", pinned, created_at: at, updated_at: at, model });
    const asked = newMessage(conversation, { text: question, at });
    newMessage(conversation, { parent: asked.id, author: "assistant", text: answer, at: at + 9000, model, turn: asked.id, finish: "stop", usage: { prompt: 812, completion: 446, cached: 512, reasoning: 0, reported: true }, ttft_ms: 231, tpot_ms: 18.4 });
  }
  if (process.env.MOCK_LONG) {
    const conversation = newConversation({ title: "A long conversation", titled_by: "person", model });
    let parent = null;
    for (let turn = 0; turn < 100; turn += 1) {
      const asked = newMessage(conversation, { parent, text: `Question ${turn + 1}` });
      parent = newMessage(conversation, { parent: asked.id, author: "assistant", text: turn % 2 ? ENGLISH : CONTRACT, model, turn: asked.id, finish: "stop" }).id;
    }
  }
}
