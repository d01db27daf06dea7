"""The recipes for front ends run with the real packages, and the package can be installed and bundled."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import drf_tessera
from tests.contrib.schemas import GOLDEN
from tests.environments import install_packages
from tests.recipes.page import RECIPES

pytestmark = [pytest.mark.once, pytest.mark.long]  # npm installs the packages

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NODE = HERE / "node"
PACKAGE = Path(drf_tessera.__file__).parent / "static" / "drf_tessera"
IN_A_BROWSER = {"upload.js", "worker.js", "socket.js", "proof.js"}
"""Recipes that tests/browser runs, because Node has no ``XMLHttpRequest``, service workers or dialogs."""
TSC = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--skipLibCheck"]


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-5_000:]
    return done.stdout


def run_node(program: str, *arguments: str, folder: Path) -> str:
    return run("node", str(NODE / "node_modules" / program), *arguments, folder=folder)


@pytest.fixture(scope="module")
def _packages() -> None:
    if shutil.which("node") is None and os.environ.get("CI") != "true":
        pytest.skip("!!! there is no Node: no recipe was tested !!!")
    install_packages(NODE)


def pack(folder: Path) -> str:
    """Return the tarball of the package, made in ``folder``."""
    name = run("npm", "pack", "--silent", "--pack-destination", str(folder), str(PACKAGE), folder=folder)
    return str(folder / name.strip())


@pytest.fixture
def recipes(_packages: None, tmp_path: Path) -> Path:
    """Return a folder with the code of the page, and with the packages that it imports."""
    modules = tmp_path / "node_modules"
    modules.mkdir()
    for path in (NODE / "node_modules").iterdir():
        (modules / path.name).symlink_to(path)
    run("tar", "-xzf", pack(tmp_path), folder=tmp_path)
    # The client has to find the React and the Vue of the project, so it lies beside them and is not a link.
    (tmp_path / "package").rename(modules / "drf-tessera")
    (tmp_path / "package.json").write_text('{ "type": "module" }')
    for name, code in RECIPES.items():
        (tmp_path / name).write_text(code)
    schema = str(GOLDEN / "both.yaml")
    run_node("openapi-typescript/bin/cli.js", schema, "-o", "schema.d.ts", folder=tmp_path)
    return tmp_path


def test_each_recipe_runs(recipes: Path) -> None:
    world = (ROOT / "tests" / "js" / "world.mjs").read_text()
    path = "../../src/drf_tessera/static/drf_tessera/client.js"
    assert path in world
    (recipes / "world.mjs").write_text(world.replace(path, "drf-tessera"))
    shutil.copy(HERE / "recipes.test.mjs", recipes)
    # Compile only this one recipe, and do not check the types, which another test does.
    run_node("esbuild/bin/esbuild", "openapi.ts", "--outfile=openapi.js", folder=recipes)
    report = run("node", "--test", "--test-force-exit", "recipes.test.mjs", folder=recipes)
    assert "# fail 0" in report
    tested = set(re.findall(r'import\("\./(\w+)\.js"\)', (HERE / "recipes.test.mjs").read_text()))
    tested |= {"axios", "ky", "vite"}
    assert {name.partition(".")[0] for name in RECIPES.keys() - IN_A_BROWSER} == tested


def test_the_types_of_the_recipe_for_openapi_fit(recipes: Path) -> None:
    (recipes / "client.d.ts").write_text('export declare const client: import("drf-tessera").Client;\n')
    options = [*TSC, "--module", "nodenext", "openapi.ts"]
    run_node("typescript/bin/tsc", *options, folder=recipes)
    text = (recipes / "openapi.ts").read_text()
    (recipes / "openapi.ts").write_text(text.replace("session.device", "session.devise"))
    done = subprocess.run(
        ["node", str(NODE / "node_modules/typescript/bin/tsc"), *options],
        cwd=recipes,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "devise" in done.stdout


APP = """
import { createClient, TesseraError, type Snapshot } from "drf-tessera";
import { createClient as createCore } from "drf-tessera/core";
import { tabs } from "drf-tessera/tabs";

const client = createClient<{ id: number; nickname: string }>({ baseUrl: "/api/token/" });
const small = createCore({ baseUrl: "/api/token/", parts: { tabs } });
const show = ({ status, user }: Snapshot<{ nickname: string }>) => console.log(status, user?.nickname);
client.subscribe(show);
client.login({ email: "anna@example.com" }).catch((error) => error instanceof TesseraError && error.fields);
small.restore();
"""


@pytest.mark.parametrize("kind", ["folder", "copied folder", "tarball"])
@pytest.mark.usefixtures("_packages")
def test_the_package_works_with_vite_and_typescript(tmp_path: Path, kind: str) -> None:
    (tmp_path / "package.json").write_text('{ "name": "app", "private": true, "type": "module" }')
    source = pack(tmp_path) if kind == "tarball" else str(PACKAGE)
    options = ["--install-links"] if kind == "copied folder" else ["--no-install-links"]
    run("npm", "install", "--no-audit", "--no-fund", "--offline", *options, source, folder=tmp_path)
    (tmp_path / "app.ts").write_text(APP)
    (tmp_path / "index.html").write_text('<script type="module" src="/app.ts"></script>')
    for module, resolution in (("nodenext", "nodenext"), ("esnext", "bundler")):
        chosen = ["--module", module, "--moduleResolution", resolution]
        run_node("typescript/bin/tsc", *TSC, *chosen, "app.ts", folder=tmp_path)
    run_node("vite/bin/vite.js", "build", "--logLevel", "error", folder=tmp_path)
    bundles = [path.read_text() for path in (tmp_path / "dist").rglob("*.js")]
    assert any("tessera_signed_in" in bundle for bundle in bundles)
    # The explanations of mistakes are a file of their own, which is loaded only if something is wrong.
    assert not any("tessera_signed_in" in bundle and "CORS_ALLOWED_ORIGINS" in bundle for bundle in bundles)


PROXY = """
import { createServer as createBackend } from "node:http";
import { createServer } from "vite";
import config from "./vite.config.js";

const backend = createBackend((request, response) => response.end(request.headers.host));
await new Promise((resolve) => backend.listen(0, "127.0.0.1", resolve));
config.server.proxy["/api"].target = `http://127.0.0.1:${backend.address().port}`;
const more = { configFile: false, logLevel: "error", optimizeDeps: { noDiscovery: true } };
const server = { ...config.server, host: "127.0.0.1", port: 0 };
const vite = await createServer({ ...config, ...more, server });
await vite.listen();
const { port } = vite.httpServer.address();
const seen = await (await fetch(`http://127.0.0.1:${port}/api/token/`)).text();
console.log(seen === `127.0.0.1:${port}` ? "The host is that of the page." : seen);
process.exit();
"""


def test_django_sees_the_origin_of_the_page_behind_the_development_server(recipes: Path) -> None:
    """Otherwise a request with cookies would be refused as that of another site."""
    (recipes / "proxy.mjs").write_text(PROXY)
    assert run("node", "proxy.mjs", folder=recipes) == "The host is that of the page.\n"


@pytest.mark.usefixtures("_packages")
def test_the_tarball_is_ready_for_the_registry(tmp_path: Path) -> None:
    names = run("tar", "-tzf", pack(tmp_path), folder=tmp_path).split()
    wanted = {path.name for path in PACKAGE.iterdir() if path.suffix != ".css"}  # a style of the admin
    assert {Path(name).name for name in names} == wanted


def test_the_lock_names_no_address() -> None:
    lock = (NODE / "package-lock.json").read_text()
    assert "resolved" not in lock
    assert "://" not in lock
