// Programs of the host that the emulator starts: finding them, running them, and what they said.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "machine/storage/host_fd.h"

namespace reprise::machine {

/// The path of program `name` in PATH, or one sentence naming Debian's `package`; `why` ends it ("qcow2
/// images need it").
Result<std::string> find_program(std::string_view name, std::string_view package, std::string_view why);

/// What a program left behind.
struct ProgramResult {
  int exit_code = -1;  // 128 + N when signal N ended it
  int signal = 0;      // that came to this process and ended the program; 0: none
  std::string output;
  std::string errors;
};

enum class Output : u8 { Captured, Inherited };

/// Runs words[0] (a path) with the other words and waits for its end. Standard input is empty. The program ends when this
/// process does. A signal that this thread blocks (but for SIGCHLD) ends the program with SIGTERM, and is pending when this
/// returns.
Result<ProgramResult> run_program(const std::vector<std::string>& words, Output output = Output::Captured);

/// What a program complained of, as the end of a sentence: its last line, without its own name in front and
/// without a full stop.
std::string last_complaint(std::string_view errors);

/// Starts words[0] in a session of its own. `listener` (if open) becomes its descriptor 3, announced as
/// systemd's socket activation does, and who listens ends by itself when it has lost its client; without one the program
/// gets SIGTERM when the thread that started it ends. Standard error goes to `errors`.
Result<pid_t> start_program(const std::vector<std::string>& words, int listener, int output, int errors);
/// Waits for its end; the exit code as in ProgramResult.
int wait_program(pid_t pid);

/// All of a file, from its beginning.
std::string content_of(int fd);

}  // namespace reprise::machine
