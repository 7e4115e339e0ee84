// What the servers of this program do alike with those who connect.
#pragma once

#include <string>
#include <string_view>

namespace reprise::frontend {

/// The next of those who wait at `listener`: the caller's, and it never blocks. -1: there is none, or no descriptor is free for it. It stays in
/// the queue then, and since another try too soon would only burn time this waits a moment, or until `stop` has something.
int accept_client(int listener, int stop);

/// Writes as much of `text` as `descriptor`, a socket or not, takes now; `text` then begins behind that. False: nobody takes any more.
bool send_some(int descriptor, std::string& text);

/// Newlines as a terminal in raw mode wants them.
std::string on_terminal(std::string_view text);

}  // namespace reprise::frontend
