"""What we sign, Standard Webhooks verifies, and so does the code that we show: in each language that is at hand."""

import json
import shutil
import subprocess
import sys
import warnings
from datetime import timedelta
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from referral_rocket.kit.clock import rfc3339, wall
from referral_rocket.kit.ids import uuid7
from referral_rocket.kit.signing import new_standard_secret
from webhooks.outbound import help as receiving
from webhooks.outbound.claiming import Shipment, Target, signing_secrets
from webhooks.outbound.posting import headers_of

FOLDER = Path(receiving.__file__).parent / "verifying"
DOCUMENT = Path(__file__).parents[3] / "docs" / "webhooks.md"
BODY = '{"data":{"amount":1200,"external_id":"ü 17 €"},"object":"REWARD"}'.encode()

# How to run `verify` of each file on the JSON of standard input: {secret, headers, body}; prints true or false.
_PYTHON = """
import json, sys
sys.path.insert(0, sys.argv[1])
from verify import verify
given = json.load(sys.stdin)
print(json.dumps(verify(given["secret"], given["headers"], given["body"].encode())))
"""
_NODE = """
import fs from "node:fs";
const { verify } = await import(process.argv[1] + "/verify.mjs");
const given = JSON.parse(fs.readFileSync(0, "utf8"));
console.log(verify(given.secret, given.headers, Buffer.from(given.body)));
"""
_RUBY = """
require "json"
require ARGV[0] + "/verify.rb"
given = JSON.parse($stdin.read)
puts verify(given["secret"], given["headers"], given["body"])
"""
_PHP = """
require $argv[1] . '/verify.php';
$given = json_decode(stream_get_contents(STDIN), true);
echo json_encode(verify($given['secret'], $given['headers'], $given['body']));
"""
_GO = """package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"
)

func main() {
	var given struct {
		Secret, Body string
		Headers      map[string]string
	}
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		panic(err)
	}
	headers := http.Header{}
	for name, value := range given.Headers {
		headers.Set(name, value)
	}
	fmt.Println(Verify(given.Secret, headers, []byte(given.Body), 5*time.Minute))
}
"""
COMMANDS = {
    "python": [sys.executable, "-c", _PYTHON, str(FOLDER)],
    "node": ["node", "--input-type=module", "-e", _NODE, str(FOLDER)],
    "ruby": ["ruby", "-e", _RUBY, str(FOLDER)],
    "php": ["php", "-r", _PHP, str(FOLDER)],
    "go": ["go", "run", "."],
}
AT_HAND = [language for language, command in COMMANDS.items() if shutil.which(command[0])]


def shipment(*secrets, body=BODY):
    target = Target(uuid7(), uuid7(), "https://example.com/hook", secrets, is_struggling=False)
    return Shipment(uuid7(), target, body, 0, None, False, uuid7(), 0.0)


def verifies(language, folder, secret, headers, body=BODY):
    given = {
        "secret": secret,
        "headers": {name.lower(): value for name, value in headers.items()},
        "body": body.decode(),
    }
    where = None
    if language == "go":
        where = folder
        (folder / "go.mod").write_text("module example.com/verify\n\ngo 1.21\n")
        (folder / "verify.go").write_text(
            (FOLDER / "verify.go").read_text().replace("package webhooks", "package main")
        )
        (folder / "main.go").write_text(_GO)
    run = subprocess.run(
        COMMANDS[language], input=json.dumps(given), capture_output=True, text=True, timeout=120, check=True, cwd=where
    )
    return {"true": True, "false": False}[run.stdout.strip()]


def test_it_works():
    secret = new_standard_secret()
    sent = shipment(secret)
    headers = headers_of(sent, wall())

    assert Webhook(secret).verify(sent.body, headers) == json.loads(BODY)
    assert headers["webhook-id"] == f"msg_{sent.delivery_id.hex}"


def test_python_and_node_are_at_hand():
    missing = sorted(COMMANDS.keys() - set(AT_HAND))
    if missing:
        # Shown at the end of the run. No failure: nobody needs these languages to work on this product.
        warnings.warn(f"THE CODE THAT TENANTS COPY DID NOT RUN IN {', '.join(missing)}: not installed", stacklevel=1)

    assert {"python", "node"} <= set(AT_HAND)


@pytest.mark.parametrize("language", AT_HAND)
def test_the_code_that_we_show(language, tmp_path):
    old, new, other = (new_standard_secret() for _ in range(3))
    rotating = headers_of(shipment(new, old), wall())
    late = headers_of(shipment(new), wall() - timedelta(minutes=6))

    assert verifies(language, tmp_path, new, rotating)
    assert verifies(language, tmp_path, old, rotating)
    assert not verifies(language, tmp_path, other, rotating)
    assert not verifies(language, tmp_path, new, rotating, BODY.replace(b"1200", b"9200"))
    assert not verifies(language, tmp_path, new, {**rotating, "webhook-id": "msg_other"})
    assert not verifies(language, tmp_path, new, {**rotating, "webhook-signature": "v1,"})
    assert not verifies(language, tmp_path, new, late)


def test_the_vector():
    assert receiving.vector_signature() == "v1,rIQudnzlWJ2TWTd9Wal+tVkM3SRj9bvzkG8RhtMFfmg="
    assert receiving.vector_signature() in DOCUMENT.read_text()


@pytest.mark.parametrize("example", receiving.examples(), ids=lambda example: example.slug)
def test_the_document_has_the_same_code(example):
    assert example.code.strip() in DOCUMENT.read_text()


def test_which_secrets_sign_while_one_is_rotated():
    now = wall()
    stored = {"current": "new", "previous": "old", "previous_until": rfc3339(now + timedelta(seconds=2))}

    assert signing_secrets(stored, now) == ("new", "old")
    assert signing_secrets(stored, now + timedelta(seconds=3)) == ("new",)
    assert signing_secrets({"current": "only"}, now) == ("only",)
