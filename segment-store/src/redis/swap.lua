#!lua name=vernier_1
-- Replaces a field of a record where it still is what its writer read; otherwise answers with what it is now, so that the
-- writer merges again. Writing the same twice changes nothing. A record lives as long as the longest of its fields.
redis.register_function('vernier_swap_1', function(keys, args)
  local key, field, expected, new, until_s = keys[1], args[1], args[2], args[3], tonumber(args[4])
  local stored = redis.call('HGET', key, field) or ''
  if stored ~= expected then
    return stored
  end
  if new == '' then
    redis.call('HDEL', key, field)
  else
    redis.call('HSET', key, field, new)
    if redis.call('EXPIRETIME', key) < until_s then
      redis.call('EXPIREAT', key, until_s)
    end
  end
  return redis.status_reply('OK')
end)
