# SPDX-License-Identifier: Apache-2.0
"""The peer of the benchmark `small`: takes uploads, acknowledges them when they are durable."""
import os
import secrets

import flask

app = flask.Flask(__name__)
FOLDER = os.environ["UPLOADS"]
DIRECTORY = os.open(FOLDER, os.O_RDONLY)


@app.post("/")
def upload():
    name = secrets.token_hex(16)
    with open(os.path.join(FOLDER, name), "xb") as file:
        file.write(flask.request.get_data())
        file.flush()
        os.fsync(file.fileno())
    os.fsync(DIRECTORY)
    return {"id": name}
