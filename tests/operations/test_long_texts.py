"""A long text among short ones: it is found by its best passage, and does not push them away."""

from __future__ import annotations

import pytest

from mem_mcp.config import Settings
from mem_mcp.memory import AsyncMemory

pytestmark = pytest.mark.anyio
THAI = "วันนี้เราประชุมเรื่องงบประมาณและวันหยุดของทีมแล้วก็กินข้าวด้วยกัน "
CHINESE = "今天我们开会讨论了预算和假期安排。然后一起吃了午饭。"
CODE = ";".join(f"function a{n}(b,c){{return b*{n}+c}}" for n in range(1_200))
LOG = "".join(f"12:{n % 60:02d} INFO worker-{n % 7} handled request {n}\n" for n in range(700))
UNENDED = "alpha beta gamma delta " * 2_000
LONG = {
    "Where does the spare boiler key hang?": (
        f"{UNENDED} the spare boiler key hangs behind the clock {UNENDED}"
    ),
    "What is retryLimit?": f"{CODE};var retryLimit=17;{CODE}",
    "Which certificate expired?": f"{LOG}12:14 ERROR certificate of stripe expired\n{LOG}",
    "รหัสประตูห้องเก็บของคืออะไร": f"{THAI * 15}รหัสประตูห้องเก็บของคือ 7731 {THAI * 15}",
    "仓库的钥匙在哪里": f"{CHINESE * 20}仓库的钥匙在红色抽屉里。{CHINESE * 20}",
}
SHORT = {
    "When was the boiler serviced?": "The boiler was serviced in May.",
    "Where is the spare bulb?": "A spare bulb is in the drawer.",
    "What do we retry by hand?": "We retry a failed job by hand.",
    "When does the certificate course start?": "The certificate course starts on Monday.",
    "ประตูหน้าบ้านสีอะไร": "ประตูหน้าบ้านเป็นสีเขียว",
}


@pytest.fixture
async def memory(tmp_path):
    settings = Settings.model_validate({"data_dir": tmp_path / "m", "store": {"durability": "os"}})
    async with AsyncMemory.open(settings) as opened:
        yield opened


async def test_what_is_said_in_a_long_text_and_in_a_short_one_beside_it_is_found(memory):
    found = {}
    for question, text in {**SHORT, **LONG}.items():
        found[question] = (await memory.remember(text)).results[0].memory_id
    for question, memory_id in found.items():
        answer = await memory.recall(question)
        assert answer.memories[0].memory_id == memory_id, question
