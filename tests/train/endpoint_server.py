"""A chat-completions server with planted faults, run as a process of its own by `test_endpoint`.

The first part of the path names the fault. The answer to a row is B when its `size` is above 80, else A, with a
certainty that grows with the distance. GET /seen gives what was asked, by path.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SEEN: dict[str, list] = {}
ATTEMPTS: Counter = Counter()


def tokens_of(content, chance):
    """Cut {"answer": "B"} into tokens as a model might, with alternatives to the letter."""
    letter = content[-3]
    other = "A" if letter == "B" else "B"
    near = [
        {"token": f'"{letter}', "logprob": math.log(chance)},
        {"token": f'"{other}', "logprob": math.log(max(1e-12, 1 - chance - 0.01))},
        {"token": '"Because', "logprob": math.log(0.01)},
    ]
    whole = ['{"', "answer", '":', " ", f'"{letter}', '"}']
    return [{"token": t, "logprob": 0.0, "top_logprobs": near if t == f'"{letter}' else []} for t in whole]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def give(self, status, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.give(200, SEEN)

    def do_POST(self):
        fault = self.path.split("/")[1]
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(raw)
        SEEN.setdefault(fault, []).append({"body": body, "key": self.headers.get("Authorization")})
        ATTEMPTS[fault, raw] += 1
        first = ATTEMPTS[fault, raw] == 1
        if fault == "broken-twice" and ATTEMPTS[fault, raw] <= 2:
            return self.give(500, {"error": "out of order"})
        if fault == "busy-once" and first:
            return self.give(429, {"error": "slow down"}, [("Retry-After", "7")])
        if fault == "broken":
            return self.give(503, {"error": "out of order"})
        if fault == "refused":
            return self.give(400, {"error": {"message": "response_format is not supported"}})
        if fault == "moved":
            return self.give(307, b"", [("Location", "/ok/v1/chat/completions")])
        if fault == "cut-once" and first:
            self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"choices"')
            self.close_connection = True
            return None
        if fault == "slow":
            time.sleep(20)
        if fault == "page":
            return self.give(200, b"<html>welcome</html>")
        return self.give(200, self.reply(fault, body, first))

    def reply(self, fault, body, first):
        row = json.loads(body["messages"][-1]["content"])
        gap = ((row.get("size") or 80.0) - 80.0) / 20.0
        letter = "B" if gap > 0 else "A"
        content = json.dumps({"answer": letter})
        if fault == "chatty" or (fault == "chatty-once" and first):
            content = f"The answer is {letter}."
        if fault == "stranger":
            content = '{"answer": "Z"}'
        if fault == "wordy":
            content = '{"answer": "B", "because": "it is large"}'
        if fault == "voter" and body["seed"] == 0:
            content = '{"answer": "A"}'
        choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
        if fault == "shy":
            choice["message"] = {"role": "assistant", "content": None, "refusal": "I would rather not"}
        if fault == "cut-short":
            choice |= {"finish_reason": "length"}
        if body.get("logprobs") and fault not in ("no-logprobs", "voter"):
            chance = 0.5 + min(0.48, abs(gap) / 4)
            choice["logprobs"] = {"content": tokens_of(content, chance)}
        reply = {"object": "chat.completion", "choices": [] if fault == "empty" else [choice]}
        if fault != "uncounted":
            reply["usage"] = {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105}
        return reply


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
