import com.sun.tools.attach.VirtualMachine;
import java.util.List;
import javax.management.ObjectName;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/** Prints what a broker counted since it started, over its listeners for clients: logins that it took, and that it refused. */
class Authentications {
  public static void main(String[] args) throws Exception {
    // by the process, as jconsole does: the broker needs no port for it that anybody else could use
    var machine = VirtualMachine.attach(args[0]);
    var address = machine.startLocalManagementAgent();
    machine.detach();
    try (var connector = JMXConnectorFactory.connect(new JMXServiceURL(address))) {
      var beans = connector.getMBeanServerConnection();
      for (var name : List.of("successful-authentication-total", "failed-authentication-total", "failed-reauthentication-total")) {
        double total = 0;
        for (var listener : List.of("INSIDE", "OUTSIDE"))
          for (var bean : beans.queryNames(new ObjectName("kafka.server:type=socket-server-metrics,listener=" + listener + ",networkProcessor=*"), null))
            total += (Double) beans.getAttribute(bean, name);
        System.out.printf("%s %.0f%n", name, total);
      }
    }
  }
}
