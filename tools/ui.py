"""Open MLflow's web interface on the runs of this project (`make ui`)."""

import os

from lean_audio.errors import LeanError
from lean_audio.tracking.store import repository_root, store_uri
from stages import run_stage


def main(port: str) -> None:
    root = repository_root()
    uri = store_uri(root)
    if uri.startswith("http"):
        print(f"MLFLOW_TRACKING_URI is set: the runs are at {uri}")
        return
    if not os.environ.get("MLFLOW_TRACKING_URI") and not (root / "mlruns" / "mlflow.db").is_file():
        raise LeanError(f"{root / 'mlruns'}: no runs yet; `make repro` makes some")
    os.environ |= {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    serve = ["mlflow", "ui", "--workers", "1", "--port", port, "--backend-store-uri", uri]
    print(f"MLflow: http://127.0.0.1:{port} (Ctrl-C ends it)", flush=True)
    os.execvp(serve[0], serve)  # noqa: S606


if __name__ == "__main__":
    run_stage(main)
