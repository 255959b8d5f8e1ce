#!lua name=vernier_2
-- Replaces a record that still is what its writer read; otherwise answers with what it is now, so that the writer merges
-- again. Writing the same twice changes nothing. A record lives as long as anything in it ever needed.
redis.register_function('vernier_swap_2', function(keys, args)
  local key, expected, new, until_s = keys[1], args[1], args[2], tonumber(args[3])
  local stored = redis.call('GET', key) or ''
  if stored ~= expected then
    return stored
  end
  if new == '' then
    redis.call('UNLINK', key)
  else
    redis.call('SET', key, new, 'EXAT', math.max(until_s, redis.call('EXPIRETIME', key)))
  end
  return redis.status_reply('OK')
end)
