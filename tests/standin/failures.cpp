/* Calls that fail on demand, so that tests see what the backend makes of it. */
#include "standin.h"

#include <cstdlib>
#include <string>

namespace standin
{
/* One item of MG_STANDIN_FAIL. */
struct Failure {
    std::string call;     /* every call of this function or kernel, */
    unsigned long number; /* or, where `call` is empty, the call with this number */
    bool onwards;         /* and all after it */
    int status;           /* 0: the usual one */
};

static std::vector<Failure> read_failures()
{
    std::vector<Failure> out;
    const char *text = std::getenv("MG_STANDIN_FAIL");
    std::string rest = text ? text : "";
    while (!rest.empty()) {
        const std::string item = rest.substr(0, rest.find(','));
        rest.erase(0, item.size() + 1);
        const size_t colon = item.find(':');
        char *end;
        Failure f = {"", std::strtoul(item.c_str(), &end, 10), *end == '+', 0};
        if (end == item.c_str())
            f = {item.substr(0, colon), 0, false,
                 colon == std::string::npos ? 0 : std::atoi(item.c_str() + colon + 1)};
        out.push_back(f);
    }
    return out;
}

int planned_failure(int usual, const char *call)
{
    static const std::vector<Failure> failures = read_failures();
    static unsigned long calls = 0;
    if (failures.empty()) return 0;
    if (usual) calls++; /* else it cannot fail, but answer with what it was given */
    for (const Failure &f : failures) {
        const bool numbered = usual && (calls == f.number || (f.onwards && calls > f.number));
        if (f.call.empty() ? !numbered : f.call != call) continue;
        const int status = f.status ? f.status : usual;
        complain("call %lu, %s, fails with %d", calls, call, status);
        return status;
    }
    return 0;
}
} // namespace standin
