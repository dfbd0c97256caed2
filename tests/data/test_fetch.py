"""Downloading, from a server on this machine that can stop half-way."""

import hashlib
import tarfile
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import optlab.data as data
from optlab.data import cifar10
from optlab.errors import InputError, Interrupted, OptlabError
from tests.data.files import SMALL, archive, records, small

__all__ = ["small"]
pytestmark = pytest.mark.usefixtures("small")
ARCHIVE = archive(records())


class Server(BaseHTTPRequestHandler):
    """Serves ``content``; ``stop`` bytes are all that it sends at a time, ``ranges`` says whether it continues."""

    def __init__(self, setting, *rest):
        self.setting = setting
        super().__init__(*rest)

    def do_GET(self):
        content, asked = self.setting["content"], self.headers.get("Range")
        self.setting["asked"].append(asked)
        if self.setting.get("status"):
            self.send_error(self.setting["status"])
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.setting["ranges"] else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : start + self.setting["stop"]])

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    servers = []

    def start(content=ARCHIVE, stop=10**9, ranges=True, **more):
        setting = {"content": content, "stop": stop, "ranges": ranges, "asked": [], **more}
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, setting))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/cifar-10-binary.tar.gz", setting

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def get(folder, url, content=ARCHIVE, **options):
    return data.fetch_cifar10(folder, url=url, md5=hashlib.md5(content).hexdigest(), timeout=10, **options)


def part(folder):
    return folder / "cifar-10-binary.tar.gz.part"


def test_a_download_is_unpacked_and_read(tmp_path, serve):
    url, setting = serve()
    told = []
    folder = get(tmp_path / "new", url, progress=lambda *values: told.append(values))
    assert folder == tmp_path / "new" / "cifar-10-batches-bin"
    assert [path.name for path in (tmp_path / "new").iterdir()] == [folder.name]  # nothing else is left behind
    assert len(data.read_cifar10(tmp_path / "new").training) == 5 * SMALL
    assert told[0][1] == len(ARCHIVE)
    assert get(tmp_path / "new", url) == folder
    assert setting["asked"] == [None]  # what is complete is not fetched again


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on(tmp_path, serve, ranges):
    url, setting = serve(stop=len(ARCHIVE) // 3)
    with pytest.raises(OptlabError, match=r"the connection closed after .* are kept in .*goes on from there"):
        get(tmp_path, url)
    kept = part(tmp_path).read_bytes()
    assert ARCHIVE.startswith(kept)
    assert len(kept) == len(ARCHIVE) // 3
    setting.update(stop=10**9, ranges=ranges)
    get(tmp_path, url)
    assert setting["asked"] == [None, f"bytes={len(kept)}-"]
    assert len(data.read_cifar10(tmp_path).test) == SMALL


def test_ctrl_c_keeps_what_came(tmp_path, serve, monkeypatch):
    url, setting = serve()
    monkeypatch.setattr("optlab.data.fetch.PIECE", 5000)

    def stop(done, total, what):
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="goes on from there"):
        get(tmp_path, url, progress=stop)
    kept = part(tmp_path).stat().st_size
    assert kept > len(ARCHIVE) // 2
    get(tmp_path, url)
    assert setting["asked"][1] == f"bytes={kept}-"


def test_a_complete_part_and_a_wrong_one(tmp_path, serve):
    url, setting = serve()
    part(tmp_path).write_bytes(ARCHIVE)
    get(tmp_path, url)  # 416: nothing is missing
    assert setting["asked"] == [f"bytes={len(ARCHIVE)}-"]
    other = tmp_path / "other"
    other.mkdir()
    part(other).write_bytes(b"x" * 1000)  # something else by that name: fetched again from its start
    get(other, url)
    assert setting["asked"][1:] == ["bytes=1000-", None]
    assert len(data.read_cifar10(other).test) == SMALL


def test_another_archive_is_refused_and_not_kept(tmp_path, serve):
    url, _ = serve(content=b"not what was asked for")
    with pytest.raises(InputError, match="is not CIFAR-10"):
        get(tmp_path, url)
    assert list(tmp_path.iterdir()) == []


def test_the_server_says_no(tmp_path, serve):
    url, _ = serve(status=404)
    with pytest.raises(OptlabError, match=r"cannot download .*Not Found"):
        get(tmp_path, url)
    with pytest.raises(OptlabError, match="cannot download"):
        get(tmp_path, "http://127.0.0.1:9/cifar-10-binary.tar.gz")


def test_members_that_would_leave_the_folder_are_left_out(tmp_path, serve):
    link = tarfile.TarInfo("cifar-10-batches-bin/readme.html")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    content = archive(records(), [("../../outside.bin", b"x"), ("/tmp/absolute-optlab.bin", b"x"), ("strange.txt", b"x"), (link, b"")])
    url, _ = serve(content)
    folder = get(tmp_path / "in" / "here", url, content)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*(f"{name}.bin" for name in records())])
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_an_archive_that_lacks_a_file_changes_nothing(tmp_path, serve):
    held = records()
    held.pop("data_batch_2")
    content = archive(held)
    url, _ = serve(content)
    with pytest.raises(InputError, match=r"data_batch_2.bin with 30,730 bytes is not in it"):
        get(tmp_path, url, content)
    assert not (tmp_path / cifar10.FOLDERS[0]).exists()


def test_a_folder_that_cannot_be_written(tmp_path, serve):
    url, _ = serve()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="name another folder with --data-dir"):
        get(tmp_path / "file" / "x", url)


def test_the_address_is_the_official_one():
    from optlab.data.fetch import MD5, URL

    assert URL == "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
    assert MD5 == "c32a1d4ab5d03f1284b67883e8d87530"
