// Commands that take their time on QEMU, and go on while their clients ask for other things. Here they are over when they are answered;
// clients see the same states and events. QEMU, "QEMU QMP Reference Manual": "Dump guest memory", "Background jobs", snapshot-save.
#include <fmt/format.h>

#include <algorithm>

#include "machine/monitor/qmp_handlers.h"
#include "machine/snapshot/named_state.h"

namespace reprise::machine::monitor {
namespace {

constexpr std::size_t kMostJobs = 64;
constexpr std::string_view kConcluded = "concluded";

/// `line` with that argument, as a job with the states that one of QEMU's goes through.
Outcome run_as_job(Monitor& monitor, std::string_view type, const Json& arguments,
                   Outcome (*work)(Monitor& monitor, const std::string& tag)) {
  const std::string id = text_in(arguments, "job-id"), tag = text_in(arguments, "tag");
  if (!check_state_name(id)) return failed(fmt::format("Invalid job ID '{}'", id.substr(0, 60)));
  std::vector<Job>& jobs = monitor.jobs();
  if (std::ranges::find(jobs, id, &Job::id) != jobs.end())
    return failed(fmt::format("Job ID '{}' already in use", id));
  if (jobs.size() >= kMostJobs) return failed(fmt::format("{} jobs wait for job-dismiss", kMostJobs));
  const auto becomes = [&](std::string_view status) {
    monitor.tell("JOB_STATUS_CHANGE", {{"status", status}, {"id", id}});
  };
  becomes("created");
  becomes("running");
  const Outcome outcome = work(monitor, tag);
  if (outcome) {
    becomes("waiting");
    becomes("pending");
  } else {
    becomes("aborting");
  }
  becomes(kConcluded);
  jobs.push_back({id, std::string(type), outcome ? std::string() : outcome.error().message});
  return Answer{};
}

}  // namespace

Outcome dump_guest_memory_to(Monitor& monitor, const Json& arguments) {
  constexpr std::string_view kFile = "file:";
  const std::string protocol = text_in(arguments, "protocol");
  if (!protocol.starts_with(kFile))
    return failed(
        fmt::format("'{}' is no place for a dump: give file:PATH of a new file", protocol.substr(0, 60)));
  if (is_true_in(arguments, "paging"))
    return failed(
        "a dump has physical addresses, and the kernel's image by its linear ones: give paging=false");
  if (const std::string format = text_in(arguments, "format"); !format.empty() && format != "elf")
    return failed(fmt::format("'{}' is no format of a dump here: give elf", format.substr(0, 60)));
  if (arguments.contains("begin") || arguments.contains("length"))
    return failed("a dump has all of the memory: leave begin and length out");
  Outcome written = monitor.execute("dump-guest-memory", {{"file", protocol.substr(kFile.size())}});
  if (!written) return written;
  const Json bytes = written.value().json["bytes"];
  monitor.set_dumped(bytes.get<u64>());
  monitor.tell("DUMP_COMPLETED",
               {{"result", {{"status", "completed"}, {"completed", bytes}, {"total", bytes}}}});
  return Answer{};
}

Outcome query_dump(Monitor& monitor, const Json&) {
  const u64 bytes = monitor.dumped();
  return answer_of({{"status", bytes == 0 ? "none" : "completed"}, {"completed", bytes}, {"total", bytes}});
}

Outcome query_dump_capability(Monitor&, const Json&) {
  return answer_of({{"formats", Json::array({"elf"})}});
}

Outcome snapshot_save(Monitor& monitor, const Json& arguments) {
  return run_as_job(monitor, "snapshot-save", arguments, [](Monitor& to, const std::string& tag) -> Outcome {
    Outcome there = to.execute("info snapshots", {});
    if (!there) return there;
    for (const Json& state : there.value().json["snapshots"])
      if (text_in(state, "name") == tag)
        return failed(fmt::format("Snapshot '{}' already exists in one or more devices", tag));
    return to.execute("savevm", {{"name", tag}});
  });
}

Outcome snapshot_load(Monitor&, const Json& arguments) {
  return failed(fmt::format("a run does not become another one: end it, and begin with -loadvm {}",
                            text_in(arguments, "tag").substr(0, 60)));
}

Outcome snapshot_delete(Monitor& monitor, const Json& arguments) {
  return run_as_job(monitor, "snapshot-delete", arguments, [](Monitor& to, const std::string& tag) {
    return to.execute("delvm", {{"name", tag}});
  });
}

Outcome query_jobs(Monitor& monitor, const Json&) {
  Json list = Json::array();
  for (const Job& job : monitor.jobs()) {
    Json one = {{"id", job.id},
                {"type", job.type},
                {"status", kConcluded},
                {"current-progress", 1},
                {"total-progress", 1}};
    if (!job.error.empty()) one["error"] = job.error;
    list.push_back(std::move(one));
  }
  return answer_of(std::move(list));
}

Outcome job_dismiss(Monitor& monitor, const Json& arguments) {
  const std::string id = text_in(arguments, "id");
  if (std::erase_if(monitor.jobs(), [&](const Job& job) { return job.id == id; }) == 0)
    return failed("Job not found");
  monitor.tell("JOB_STATUS_CHANGE", {{"status", "null"}, {"id", id}});
  return Answer{};
}

}  // namespace reprise::machine::monitor
