#include "frontend/monitor_prompt.h"

#include "common/words.h"
#include "frontend/clients.h"

namespace reprise::frontend {
MonitorPrompt::MonitorPrompt(machine::monitor::Monitor& monitor, Console& console, std::string_view prompt)
    : monitor_(monitor), console_(console), editor_(std::string(prompt), [](std::string_view prefix) {
        return machine::monitor::Monitor::completions(prefix);
      }) {}

void MonitorPrompt::toggle() {
  open_ = !open_;
  if (open_) {
    console_.enter_prompt();
    console_.show("\r\n" + monitor_.version() +
                      " monitor; 'help' lists commands, Ctrl-A c returns to the guest\r\n" + editor_.redraw(),
                  editor_.redraw());
    return;
  }
  bool stopped = false;
  const bool running = monitor_.machine().host_calls().run([&] { stopped = monitor_.machine().stopped(); });
  console_.show(
      running && stopped ? "\r\nthe guest is stopped; 'cont' in the monitor resumes it\r\n" : "\r\n", {});
  console_.leave_prompt();
}

void MonitorPrompt::key(u8 key) {
  const LineEditor::Outcome outcome = editor_.key(key);
  console_.show(outcome.show, editor_.redraw());
  if (outcome.line) carry_out(*outcome.line);
}

void MonitorPrompt::carry_out(const std::string& line) {
  std::string text;
  const bool answered = monitor_.machine().host_calls().run([&] {
    const machine::monitor::Outcome outcome = monitor_.execute_line(line);
    text = outcome ? outcome.value().text : in_one_line(outcome.error().message) + '\n';
  });
  if (!answered) text = "The run is over.\n";
  console_.show(on_terminal(text) + editor_.redraw(), editor_.redraw());
}

}  // namespace reprise::frontend
