"""A GPU or a machine without memory left: the agent is told so, and not that its code crashed."""

import pytest

from agent.core.sandboxing import Exit
from agent.lab.measuring.verdict import call_ended, out_of_memory, training_ended
from agent.sandbox.limits import oom_kills
from agent.session import events as ev
from agent.storage.log import EventLog
from tests.support.whole import block

# As PyTorch, cuBLAS, NumPy and the CPU allocator print them.
CUDA = """Traceback (most recent call last):
  File "/w/experiment.py", line 88, in <module>
    train(task, out_dir).save(out_dir / task["artefact"])
  File "/w/experiment.py", line 61, in train
    pre_acts = x @ self.W_enc + self.b_enc
               ~~^~~~~~~~~~~~
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 15.77 GiB of \
which 9.63 GiB is free. Including non-PyTorch memory, this process has 6.13 GiB memory in use. Of the allocated memory \
5.62 GiB is allocated by PyTorch, and 148.32 MiB is reserved by PyTorch but unallocated. If reserved but unallocated \
memory is large try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation.
"""
CPU = (
    "RuntimeError: [enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you "
    "tried to allocate 4000000000000 bytes. Error code 12 (Cannot allocate memory)\n"
)


@pytest.mark.parametrize(
    ("stderr", "code"),
    [
        (CUDA, "gpu-memory"),
        ("torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0)\n", "gpu-memory"),
        (
            "RuntimeError: CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported at some "
            "other API call, so the stacktrace below might be incorrect.\n",
            "gpu-memory",
        ),
        ("RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`\n", "gpu-memory"),
        ("torch.AcceleratorError: CUDA error: out of memory\n", "gpu-memory"),
        (
            "RuntimeError: MPS backend out of memory (MPS allocated: 17.00 GB, other allocations: 1.09 GB)\n",
            "gpu-memory",
        ),
        (CPU, "memory"),
        ("numpy._core._exceptions._ArrayMemoryError: Unable to allocate 7.28 TiB for an array\n", "memory"),
        ('Traceback (most recent call last):\n  File "x.py", line 1\nMemoryError\n', "memory"),
        ("terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n", "memory"),
        ("ValueError: shapes (8,) and (9,)\n", ""),
        (CUDA + "\nDuring handling of the above exception, another exception occurred:\n\nKeyError: 'loss'\n", ""),
        ("RuntimeError: retry after CUDA memory was freed\n", ""),
        ("the guide says: CUDA out of memory is common\nZeroDivisionError: division by zero\n", ""),
        ("", ""),
    ],
)
def test_what_the_last_exception_tells_of(stderr, code):
    assert out_of_memory(stderr) == code


def test_the_line_says_what_ran_out_and_keeps_the_exception(tmp_path):
    (tmp_path / "err").write_text(CUDA)
    ended = training_ended(_exit("exit", 1), tmp_path / "err")
    assert ended.reason == "gpu-memory"
    assert ended.detail.startswith("the GPU ran out of memory: use a smaller batch")
    assert "Tried to allocate 20.00 GiB" in ended.detail
    assert "the GPU ran out of memory" in call_ended(_exit("exit", 1), tmp_path / "err", "Model.encode(x)").detail


def test_a_limit_that_was_passed_is_told_before_what_the_program_says(tmp_path):
    (tmp_path / "err").write_text(CUDA)
    assert training_ended(_exit("timeout", 0), tmp_path / "err").reason == "timeout"


def test_a_kill_by_the_kernel_for_want_of_memory_is_no_crash(tmp_path):
    (tmp_path / "err").write_text("")
    ended = training_ended(_exit("host-memory", 137), tmp_path / "err")
    assert ended.reason == "host-memory"
    assert "killed by the kernel because this machine ran out of memory" in ended.detail


def test_the_kernels_count_is_read(tmp_path):
    (tmp_path / "vmstat").write_text("pgfault 12\noom_kill 3\noom_kill_disable 9\n")
    assert oom_kills(tmp_path / "vmstat") == 3
    assert oom_kills(tmp_path / "nothing") == 0


def test_an_experiment_that_exhausts_the_gpu_tells_the_editor_so(whole):
    crash = (
        '    import torch\n    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. '
        'GPU 0 has a total capacity of 15.77 GiB of which 9.63 GiB is free.")\n'
    )
    first = '    draw = np.random.default_rng(task["seed"])'
    greedy = block("experiment.py", crash + first, f"    draw = np.empty((1 << 50,), dtype=np.float64)\n{first}")
    answers = {"run-1.edit-1": block("experiment.py", first, crash + first), "run-1.edit-2": greedy}
    it = whole(answers, runs=1, stop_after="runs")
    it.play()
    failed = [e for e in EventLog(it.paths.events).read() if isinstance(e, ev.AttemptFailed)]
    assert [(e.stage, e.reason) for e in failed] == [("training", "gpu-memory"), ("training", "memory")]
    assert "the GPU ran out of memory" in it.model.prompt("run-1.edit-2")
    assert "gpu-memory" in it.model.prompt("run-1.edit-2")


def _exit(reason, code):
    return Exit(reason=reason, code=code, wall_s=1.0, cpu_s=1.0, peak_memory_mb=100.0)
