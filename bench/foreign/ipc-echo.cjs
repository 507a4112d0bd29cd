// The other side of a channel of child_process: runs the program that it is given, with `onMessage`.
const onMessage = new Function('require', `${process.argv[2]}; return onMessage;`)(require);
process.on('message', (message) => onMessage(message, (item) => process.send(item)));
process.send('ready');
