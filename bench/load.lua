-- What wrk sends, and how it tells what came of it: wrk ... -s load.lua URL -- METHOD BODY_FILE HEAVY_TARGET HEADER...
-- BODY_FILE and HEAVY_TARGET may be "-": no body; no request that is heavier than the others. Else every hundredth
-- request of each thread goes to HEAVY_TARGET. Each HEADER is "name: value". One line of JSON on standard output.

local ONE_OF = 100

local function mix(light, heavy)
   local count = 0
   return function()
      count = count + 1
      return count % ONE_OF == 0 and heavy or light
   end
end

function init(arguments)
   wrk.method = arguments[1]
   if arguments[2] ~= "-" then
      local file = assert(io.open(arguments[2], "rb"))
      wrk.body = file:read("*a")
      file:close()
   end
   for i = 4, #arguments do
      local name, value = arguments[i]:match("^([^:]+): (.*)$")
      wrk.headers[name] = value
   end
   if arguments[3] ~= "-" then
      local light = wrk.format()
      -- Only here: where there is such a function, wrk calls it for each request.
      request = mix(light, wrk.format(nil, arguments[3]))
   end
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '{"seconds": %.6f, "requests": %d, "bytes": %d, "p50": %.6f, "p99": %.6f, "p999": %.6f, "most": %.6f, ' ..
         '"connect_errors": %d, "read_errors": %d, "write_errors": %d, "status_errors": %d, "timeouts": %d}\n',
      summary.duration / 1e6, summary.requests, summary.bytes, latency:percentile(50) / 1e6,
      latency:percentile(99) / 1e6, latency:percentile(99.9) / 1e6, latency.max / 1e6, errors.connect, errors.read,
      errors.write, errors.status, errors.timeout))
end
