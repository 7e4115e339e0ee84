#!/usr/bin/env python3
"""The manifests of docs/fleet.md: what stands in the page is what lies here; they are YAML (Debian's python3-yaml), and have what Kubernetes, GitHub
and GitLab ask for in the fields that they use. kubeconform and the systems' own schemas are not in Debian."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

try:
    import yaml
except ImportError:
    print("SKIP: there is no python3-yaml")
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs/fleet.md"


class Failure(Exception):
    pass


def expect(condition, message):
    if not condition:
        raise Failure(message)


class NoDuplicates(yaml.SafeLoader):
    """YAML as these systems read it: a key stands once, and "on" is a word."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        expect(len(keys) == len(set(keys)), f"a key stands twice in {keys}")
        return super().construct_mapping(node, deep)


NoDuplicates.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rows if tag != "tag:yaml.org,2002:bool"] if first in "oOnNyY" else rows
    for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def read(name):
    text = (HERE / name).read_text()
    quoted = "".join(f"    {line}".rstrip() + "\n" for line in text.splitlines())
    expect(quoted in PAGE.read_text() + "\n", f"docs/fleet.md has another {name}")
    return yaml.load(text, NoDuplicates)


def only(where, mapping, known, needed=()):
    expect(isinstance(mapping, dict), f"{where} is no mapping")
    unknown = set(mapping) - set(known)
    expect(not unknown and set(needed) <= set(mapping), f"{where}: unknown {unknown}, missing {set(needed) - set(mapping)}")


def check_command(reprise, words):
    """A command of ours has options that there are: only its files are missing."""
    words = [word for word in words if word != "reprise"]
    done = subprocess.run([reprise, *words], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60)
    expect("unknown" not in done.stderr and "--help" not in done.stderr, f"{shlex.join(words)}: {done.stderr}")


def check_kubernetes(reprise):
    # batch/v1, Kubernetes 1.26 and later: "Job", "JobSpec", "PodFailurePolicy", "Container".
    job = read("job.yaml")
    only("job", job, ("apiVersion", "kind", "metadata", "spec"), ("apiVersion", "kind", "metadata", "spec"))
    expect((job["apiVersion"], job["kind"]) == ("batch/v1", "Job"), "it is no Job of batch/v1")
    expect(re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", job["metadata"]["name"]), "a name is a DNS label")
    spec = job["spec"]
    only("spec", spec, ("completionMode", "completions", "parallelism", "backoffLimit", "podFailurePolicy", "template"), ("template",))
    expect(spec["completionMode"] == "Indexed" and spec["completions"] >= 1, "it is no indexed job")
    for rule in spec["podFailurePolicy"]["rules"]:
        only("rule", rule, ("action", "onExitCodes", "onPodConditions"), ("action",))
        expect(rule["action"] in ("FailJob", "Ignore", "Count") and len(rule) == 2, f"{rule}: an action and one condition")
        if "onExitCodes" in rule:
            codes = rule["onExitCodes"]
            only("onExitCodes", codes, ("containerName", "operator", "values"), ("operator", "values"))
            expect(codes["operator"] in ("In", "NotIn") and codes["values"] == sorted(set(codes["values"])) and
                   all(type(code) is int for code in codes["values"]) and 75 not in codes["values"], f"{codes}")
    pod = spec["template"]["spec"]
    only("pod", pod, ("restartPolicy", "terminationGracePeriodSeconds", "containers", "volumes"), ("restartPolicy", "containers"))
    expect(pod["restartPolicy"] == "Never", "podFailurePolicy wants Never")
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in pod["containers"]:
        only("container", container, ("name", "image", "command", "args", "env", "resources", "securityContext", "volumeMounts"), ("name", "image"))
        expect(all(isinstance(word, str) for word in container["command"]), "words of a command are text")
        variables = {one["name"]: one["value"] for one in container["env"]}
        expect(variables["JOB_COMPLETIONS"] == str(spec["completions"]), "JOB_COMPLETIONS is another number than completions")
        expect({mount["name"] for mount in container["volumeMounts"]} == volumes, "a volume is not there, or not used")
        expect({codes["containerName"] for rule in spec["podFailurePolicy"]["rules"] if (codes := rule.get("onExitCodes"))} == {container["name"]},
               "the policy is about another container")
        check_command(reprise, container["command"])


def check_github(reprise):
    flow = read("github.yml")
    only("workflow", flow, ("name", "on", "jobs"), ("on", "jobs"))
    for name, job in flow["jobs"].items():
        only(name, job, ("runs-on", "needs", "if", "strategy", "steps"), ("runs-on", "steps"))
        expect(job.get("needs", "seeds") in flow["jobs"], f"{name} needs what is not there")
        for step in job["steps"]:
            only("step", step, ("name", "uses", "run", "with", "if"))
            expect(("uses" in step) != ("run" in step), f"{step} has either uses or run")
    shards = flow["jobs"]["seeds"]["strategy"]["matrix"]["shard"]
    run = next(step["run"] for step in flow["jobs"]["seeds"]["steps"] if "reprise" in step.get("run", ""))
    expect(shards == list(range(1, len(shards) + 1)) and f"}}}}/{len(shards)} " in run, "the shards are not those of the matrix")
    check_command(reprise, shlex.split(run.replace("${{ matrix.shard }}", "1")))


def check_gitlab(reprise):
    flow = read("gitlab.yml")
    for name, job in flow.items():
        if name == "stages":
            continue
        only(name, job, ("stage", "parallel", "retry", "script", "artifacts", "needs", "when"), ("stage", "script"))
        expect(job["stage"] in flow["stages"], f"{name} is in no stage")
        expect(all(need in flow for need in job.get("needs", [])), f"{name} needs what is not there")
        expect(all(isinstance(line, str) for line in job["script"]), f"{name}: lines of a script are text")
    expect(2 <= flow["seeds"]["parallel"] <= 200, "parallel is from 2 to 200")
    words = shlex.split(flow["seeds"]["script"][0])
    expect("--shard" in words and words[words.index("--shard") + 1] == "auto", "the shard is not GitLab's")
    check_command(reprise, [word if word != "auto" else "1/8" for word in words])


def main():
    reprise = str(pathlib.Path(sys.argv[1]).resolve())
    try:
        os.environ.update(JOB_COMPLETION_INDEX="0", JOB_COMPLETIONS="8")
        check_kubernetes(reprise)
        check_github(reprise)
        check_gitlab(reprise)
        slurm = (HERE / "slurm.sbatch").read_text()
        expect("".join(f"    {line}".rstrip() + "\n" for line in slurm.splitlines()) in PAGE.read_text(), "docs/fleet.md has another slurm.sbatch")
        expect(subprocess.run(["bash", "-n", HERE / "slurm.sbatch"]).returncode == 0, "slurm.sbatch is no script")
    except (Failure, KeyError, TypeError) as failure:
        print(f"FAIL: {failure!r}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
