// A pipe between parent and child, both ends of which send and receive. It ends by itself when the other side is gone.
import { EOFError, Pipe, Process, type Connection } from 'node-multiprocessing';

function answer(conn: Connection): void {
  conn.send(['hello', null, { from: 'child' }]);
  for (;;) {
    const question = conn.recv();
    if (question === '再见') return;
    conn.send(`${String(question)}: 收到`);
  }
}

const [parent, child] = Pipe();
const p = new Process({ target: answer, args: [child] });
p.start();
child.close(); // the child has its own copy; with this one open, its end would go unnoticed
console.log(parent.recv());
for (const question of ['一', '二', '三']) {
  parent.send(question);
  console.log(parent.recv());
}
console.log(`poll: ${parent.poll(50)}`); // nothing more to be read

p.kill();
try {
  parent.recv();
} catch (error) {
  if (!(error instanceof EOFError)) throw error;
  console.log('killed: EOFError');
}
p.join();
parent.close();
