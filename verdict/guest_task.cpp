#include "verdict/guest_task.h"

#include <fmt/format.h>

#include "common/hash.h"
#include "verdict/guest/parts.h"
#include "verdict/shell_words.h"

namespace reprise::verdict {
namespace {

/// What a program may count on; the task's variables come behind.
constexpr std::string_view kEnvironment =
    "HOME=/root LOGNAME=root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb "
    "USER=root";

std::string_view name_of(RootPlace place) {
  switch (place) {
    case RootPlace::Memory: return "memory";
    case RootPlace::Disk: return "disk";
    case RootPlace::Share: return "share";
  }
  return "";
}

/// A function that runs the command.
std::string function_of(const GuestTask& task) {
  const std::string_view folder = task.shares_work ? kWorkFolder : "/";
  const std::string shell = task.own_shell ? "/bin/sh" : "$b sh";
  std::string words = shell_words(task.command);
  if (task.command.size() == 1) words = fmt::format("{} -c {}", shell, words);
  std::string environment(kEnvironment);
  for (const Variable& variable : task.environment)
    environment += fmt::format(" {}={}", variable.name, shell_word(variable.value));
  return fmt::format("run_command() {{\n  $b env -i {} $into {} -c 'cd \"$0\" && exec \"$@\"' {} {}\n}}\n",
                     environment, shell, folder, words);
}

/// All of it but the token.
std::string body_of(const GuestTask& task) {
  std::string modules;
  for (const std::string& module : task.modules) modules += (modules.empty() ? "" : " ") + module;
  return fmt::format("root={}\napplets={}\nwork={}\nwork_options={}\nmodules='{}'\nwaits={}\n{}",
                     name_of(task.root), task.applets ? "yes" : "", task.shares_work ? kWorkTag : "",
                     task.work_read_only ? "ro" : "rw", modules, task.waits ? "yes" : "",
                     task.waits ? std::string() : function_of(task));
}

}  // namespace

std::string token_of(const GuestTask& task) {
  const std::string body = body_of(task);
  return fmt::format("reprise-{:016x}", hash64({reinterpret_cast<const u8*>(body.data()), body.size()}));
}

std::string task_text(const GuestTask& task) {
  return fmt::format("token={}\n{}", token_of(task), body_of(task));
}

std::string command_text(const GuestTask& task) { return function_of(task) + token_of(task) + '\n'; }

std::string_view init_text() { return parts::init; }

}  // namespace reprise::verdict
