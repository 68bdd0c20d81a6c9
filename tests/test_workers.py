"""Many tasks: the same results in this process, in two, and on a Dask cluster; what becomes of those that fail."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kpnviz import paths, workers
from kpnviz.workers import Failure, outcomes

from .clusters import dask_cluster

REPOSITORY = Path(__file__).parents[1]


def act(task):
    """A task of these tests, in whichever process."""
    if task == "value":
        raise ValueError("3 is not even")
    if task == "bug":
        return {}["no\nkey"]
    if task == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "environment":
        return os.getpid(), os.environ["OMP_NUM_THREADS"]
    return 2 * task


def wait_beside(folder):
    """Write a file, and do not come to an end before it is renamed."""

    def hang(_):
        (Path(folder) / f"{os.getpid()}.pid").touch()
        time.sleep(100)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths.os, "fsync", hang)
        paths.write_atomically(Path(folder) / "x.png", b"half")


def is_alive(pid):
    """Whether a process runs; one that has ended, and that nobody asked about yet, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Address of a Dask scheduler with two processes."""
    with dask_cluster(tmp_path_factory.mktemp("dask")) as address:
        yield address


def test_results_are_the_same_wherever_they_come_from(cluster):
    tasks = [3, "value", 5, "bug", 7, 11]
    one = dict(outcomes(act, tasks))
    assert one == {
        3: 6,
        "value": Failure("3 is not even"),
        5: 10,
        "bug": Failure(r"KeyError: 'no\nkey'"),
        7: 14,
        11: 22,
    }
    assert dict(outcomes(act, tasks, workers=2)) == one
    assert dict(outcomes(act, tasks, scheduler=cluster)) == one
    assert list(outcomes(act, [], workers=2)) == list(outcomes(act, [], scheduler=cluster)) == []


def test_a_process_that_dies_fails_its_task_alone():
    found = dict(outcomes(act, ["die", 1, 2, 3, 4], workers=2))
    assert "ended with status -9" in found.pop("die").sentence
    assert found == {1: 2, 2: 4, 3: 6, 4: 8}


def test_processes_share_the_cores(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(workers, "cores", lambda: 7)
    ((_, (pid, threads)),) = outcomes(act, ["environment"], workers=2)
    assert pid != os.getpid() and threads == "3"
    monkeypatch.setenv("OMP_NUM_THREADS", "5")  # of who knows better
    ((_, (_, threads)),) = outcomes(act, ["environment"], workers=2)
    assert threads == "5"


def test_workers_end_with_who_gave_them_work(tmp_path):
    """Killed, or with results that nobody asks for any more: no process stays, and no half-written file."""
    script = (
        "import sys\nfrom kpnviz.workers import outcomes\nfrom tests.test_workers import wait_beside\n"
        "if __name__ == '__main__': list(outcomes(wait_beside, sys.argv[1:], workers=2))"
    )
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, folders)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    until(lambda: len(list(tmp_path.glob("*/*.pid"))) == 2)
    pids = [int(path.stem) for path in tmp_path.glob("*/*.pid")]
    assert [len(list(folder.iterdir())) for folder in folders] == [2, 2]
    process.kill()
    process.wait()
    until(lambda: not any(map(is_alive, pids)))
    assert sorted(path.stem for folder in folders for path in folder.iterdir()) == sorted(map(str, pids))


def test_workers_end_when_results_are_not_wanted(tmp_path):
    results = outcomes(act_or_wait, [1, str(tmp_path)], workers=2)
    assert next(results) == (1, 2)
    until(lambda: list(tmp_path.glob("*.pid")))
    (pid,) = (int(path.stem) for path in tmp_path.glob("*.pid"))
    results.close()
    until(lambda: not is_alive(pid))
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{pid}.pid"]


def act_or_wait(task):
    return wait_beside(task) if isinstance(task, str) else act(task)


def test_what_a_scheduler_may_be(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "_PATIENCE", 0.5)
    for address in ("nonsense", "smtp://a:1", "tcp://a", "a b:1"):
        with pytest.raises(ValueError, match="an address is like tcp://"):
            next(outcomes(act, [1], scheduler=address))
    with pytest.raises(ValueError, match="scheduler: tcp://127.0.0.1:1 does not answer: "):
        next(outcomes(act, [1], scheduler="tcp://127.0.0.1:1"))


def test_a_port_that_is_none_and_a_server_that_is_no_scheduler_are_refused(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "_PATIENCE", 0.5)
    for port in (0, 65536, 99999):
        with pytest.raises(ValueError, match=f"scheduler is 'tcp://127.0.0.1:{port}'; ports are 1 to 65535"):
            next(outcomes(act, [1], scheduler=f"tcp://127.0.0.1:{port}"))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(
            ValueError, match=f"{address} does not answer: no Dask scheduler spoke there within"
        ):
            next(outcomes(act, [1], scheduler=address))


def test_a_worker_of_dask_is_no_scheduler(cluster):
    from distributed import Client

    with Client(cluster, set_as_default=False) as client:
        worker = next(iter(client.scheduler_info()["workers"]))
    with pytest.raises(
        ValueError, match=f"{worker} does not answer: it is a Worker of Dask, not its scheduler"
    ):
        next(outcomes(act, [1], scheduler=worker))


def test_an_error_of_the_system_is_a_sentence_without_its_number(tmp_path):
    ((_, outcome),) = outcomes(os.listdir, [str(tmp_path / "gone")])
    assert outcome == Failure(f"'{tmp_path}/gone': No such file or directory")


def test_without_dask_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r"Dask is not installed here: pip install 'kpnviz\[cluster\]'"):
        next(outcomes(act, [1], scheduler="tcp://127.0.0.1:1"))


@pytest.mark.parametrize(
    "theirs, sentence",
    [("0.0.1", "has kpnviz 0.0.1; here it is"), (ModuleNotFoundError("no"), "has no kpnviz; here it is")],
)
def test_workers_with_another_kpnviz_are_refused(theirs, sentence):
    class Client:
        def scheduler_info(self, n_workers):
            return {"workers": {"tcp://a:1": {}}}

        def run(self, function, *arguments, on_error):
            return {"tcp://a:1": theirs}

    with pytest.raises(ValueError, match=f"the worker tcp://a:1 {sentence}"):
        workers._check_workers(Client(), "tcp://b:2")
